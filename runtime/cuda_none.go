//go:build !cuda

package runtime

import "errors"

func findCUDA(int) (*Device, error) {
	return nil, errors.New("this build has no CUDA: `make cuda` makes one that has")
}
