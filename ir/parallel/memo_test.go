package parallel

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMemoMakesOnce(t *testing.T) {
	var m Memo[int]
	var made atomic.Int32
	got := make([]int, 100)
	require.NoError(t, Each(len(got), 7, func(i int) error {
		got[i] = m.Get(fmt.Sprint(i%5), func() int { return i%5 + 10*int(made.Add(1)) })
		return nil
	}))
	require.EqualValues(t, 5, made.Load())
	for i, x := range got {
		require.Equal(t, got[i%5], x)
		require.Equal(t, i%5, x%10)
	}
}
