package parallel

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEach(t *testing.T) {
	for _, workers := range []int{1, 2, 7} {
		done := make([]int, 100)
		var now, most atomic.Int32
		err := Each(len(done), workers, func(i int) error {
			most.Store(max(most.Load(), now.Add(1)))
			defer now.Add(-1)
			done[i]++
			if i%40 == 3 {
				return fmt.Errorf("part %d", i)
			}
			return nil
		})
		require.EqualError(t, err, "part 3\npart 43\npart 83")
		require.NotContains(t, done, 0)
		require.NotContains(t, done, 2)
		require.LessOrEqual(t, int(most.Load()), workers)
	}
	require.NoError(t, Each(0, 4, nil))
}
