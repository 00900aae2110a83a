package passes

import "sync"

// each calls f with 0 to n-1, some at a time, and returns the first error in order. A panic of f is one of each.
func each(n, workers int, f func(i int) error) error {
	errs, panics := make([]error, n), make([]any, n)
	call := func(i int) {
		defer func() { panics[i] = recover() }()
		errs[i] = f(i)
	}
	todo := make(chan int)
	var wg sync.WaitGroup
	for range min(n, workers) {
		wg.Go(func() {
			for i := range todo {
				call(i)
			}
		})
	}
	for i := range n {
		todo <- i
	}
	close(todo)
	wg.Wait()
	for _, p := range panics {
		if p != nil {
			panic(p)
		}
	}
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
