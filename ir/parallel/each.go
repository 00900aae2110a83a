// Package parallel runs the parts of a compilation side by side.
package parallel

import (
	"errors"
	"sync"
)

// Each calls f with 0 to n-1, workers of them at a time, and joins the errors in order.
func Each(n, workers int, f func(i int) error) error {
	errs := make([]error, n)
	todo := make(chan int)
	var wg sync.WaitGroup
	for range min(n, workers) {
		wg.Go(func() {
			for i := range todo {
				errs[i] = f(i)
			}
		})
	}
	for i := range n {
		todo <- i
	}
	close(todo)
	wg.Wait()
	return errors.Join(errs...)
}
