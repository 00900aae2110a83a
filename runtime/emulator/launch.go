package emulator

import (
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
)

// launch is one run of a kernel over a grid.
type launch struct {
	d           *Device
	k           *Kernel
	grid, block [3]int
	cluster     [3]int // blocks
	threads     int
	sharedBytes int
	params      []byte
	globals     map[*variable]*Buffer
	seed        uint64
	limit       int
	id          uint32
	granule     int
	earlier     dependence
}

// Stats says what a launch did.
type Stats struct {
	Instructions int64 // instructions of threads
	Loads        int64 // of global memory, by warps, and bulk copies from there
	LoadBytes    int64 // that their threads and the copies read
	Sectors      int64 // of sectorBytes that the loads asked for, where threads beside one another, or pieces of a copy, share them
}

// sectorBytes are what memory gives at least.
const sectorBytes = 32

// Config is how a kernel is launched.
type Config struct {
	Grid, Block [3]int
	Cluster     [3]int // blocks that run together; zero: as the kernel asks for, else one
	Shared      int    // bytes of dynamic shared memory
	// Dependent says that the kernel may begin before those launched earlier have ended, as with the
	// attribute programmatic stream serialization: it must wait for them by griddepcontrol.wait.
	Dependent bool
}

// Launch runs a kernel: grid blocks of block threads with sharedBytes of dynamic
// shared memory. A parameter is a *Buffer, an integer, a float or, for a
// parameter that is an array, its []byte. The error is a *[Fault] if the kernel
// went wrong.
func (d *Device) Launch(k *Kernel, grid, block [3]int, sharedBytes int, params ...any) (Stats, error) {
	return d.LaunchWith(Config{Grid: grid, Block: block, Shared: sharedBytes}, k, params...)
}

// LaunchWith is Launch, with all that can be said of one.
func (d *Device) LaunchWith(c Config, k *Kernel, params ...any) (Stats, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	k, err := k.module.kernel(k.name, d.Approx)
	if err != nil {
		return Stats{}, err
	}
	l := &launch{d: d, k: k, grid: c.Grid, block: c.Block, threads: volume(c.Block), cluster: c.Cluster, sharedBytes: c.Shared, seed: d.Seed, limit: d.Limit, granule: k.granule[1]}
	if l.limit == 0 {
		l.limit = 100_000_000
	}
	if err := l.check(); err != nil {
		return Stats{}, fmt.Errorf("kernel %s: %w", k.name, err)
	}
	if l.params, err = k.marshal(params); err != nil {
		return Stats{}, fmt.Errorf("kernel %s: %w", k.name, err)
	}
	l.globals = d.instances(k.module)
	d.launch++
	l.id = d.launch
	if c.Dependent {
		l.earlier.from = max(d.settled, 1)
	}
	for _, b := range d.buffers {
		b.whole = b.of == nil && allSet(b.written, 0, len(b.data))
	}
	s, err := l.run()
	if !c.Dependent || l.earlier.waited.Load() { // then those before it have ended, too
		d.settled = l.id
	}
	return s, err
}

func (l *launch) check() error {
	for i := range 3 {
		if l.grid[i] < 1 || l.block[i] < 1 || l.grid[i] > math.MaxInt32 || l.block[i] > maxThreads || i > 0 && l.grid[i] > 65535 {
			return fmt.Errorf("a grid of %v blocks of %v threads cannot be launched", l.grid, l.block)
		}
	}
	limit, f := maxThreads, l.k.entry
	if f.maxThreads > 0 {
		limit = min(limit, f.maxThreads)
	}
	if l.threads > limit || f.exactThreads && l.threads != limit {
		return fmt.Errorf("it cannot run with %d threads a block, it is made for %d", l.threads, limit)
	}
	if blocks := l.grid[0] * l.grid[1] * l.grid[2]; blocks > math.MaxInt32-1 {
		return fmt.Errorf("%d blocks are too many", blocks)
	}
	if err := l.checkCluster(); err != nil {
		return err
	}
	if l.sharedBytes < 0 || l.sharedBytes+l.k.SharedBytes() > maxShared {
		return fmt.Errorf("%d bytes of shared memory a block are more than %d", l.sharedBytes+l.k.SharedBytes(), maxShared)
	}
	size := int64(0)
	for _, v := range l.k.module.order {
		if v.space == "shared" {
			continue
		}
		if v.external {
			return fmt.Errorf("the variable %s is only declared", v.name)
		}
		size += v.size
	}
	if size > maxVariable {
		return fmt.Errorf("%d bytes of variables are more than %d", size, maxVariable)
	}
	return nil
}

// marshal lays out the parameters as the kernel reads them.
func (k *Kernel) marshal(params []any) ([]byte, error) {
	if len(params) != len(k.entry.params) {
		return nil, fmt.Errorf("it takes %d parameters, not %d", len(k.entry.params), len(params))
	}
	out := make([]byte, k.paramBytes)
	for i, p := range params {
		v := k.entry.params[i]
		var bits uint64
		size := int(v.size)
		switch p := p.(type) {
		case *Buffer:
			if size != 8 {
				return nil, fmt.Errorf("parameter %d has %d bytes: it takes no buffer", i, size)
			}
			bits = p.addr
		case int:
			bits = uint64(p)
		case int32:
			bits = uint64(p)
		case int64:
			bits = uint64(p)
		case uint32:
			bits = uint64(p)
		case uint64:
			bits = p
		case float32:
			if size != 4 {
				return nil, fmt.Errorf("parameter %d has %d bytes: it takes no float32", i, size)
			}
			bits = uint64(math.Float32bits(p))
		case float64:
			if size != 8 {
				return nil, fmt.Errorf("parameter %d has %d bytes: it takes no float64", i, size)
			}
			bits = math.Float64bits(p)
		case []byte:
			if len(p) != size {
				return nil, fmt.Errorf("parameter %d has %d bytes, not %d", i, size, len(p))
			}
			copy(out[k.paramAt[i]:], p)
			continue
		default:
			return nil, fmt.Errorf("parameter %d: a %T cannot be passed", i, p)
		}
		if size > 8 {
			return nil, fmt.Errorf("parameter %d has %d bytes: it takes a []byte", i, size)
		}
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], bits)
		copy(out[k.paramAt[i]:k.paramAt[i]+size], b[:])
	}
	return out, nil
}

// run spreads the clusters over goroutines. They start in an order drawn from the
// seed; of several faults the one of the first cluster is reported.
func (l *launch) run() (Stats, error) {
	clusters := l.clusters()
	workers := l.d.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	workers = min(workers, clusters)
	var next atomic.Int64
	var s Stats
	var first *Fault
	at := clusters
	var mu sync.Mutex
	var wg sync.WaitGroup
	stride := coprime(clusters, l.seed)
	for range workers {
		wg.Go(func() {
			c := newCluster(l)
			for {
				i := int(next.Add(1)) - 1
				mu.Lock()
				stop := i >= clusters || first != nil
				mu.Unlock()
				if stop {
					break
				}
				n := int((uint64(i)*uint64(stride) + l.seed%uint64(clusters)) % uint64(clusters))
				c.reset(n)
				c.run()
				if c.fault != nil {
					mu.Lock()
					if n < at {
						first, at = c.fault, n
					}
					mu.Unlock()
				}
			}
			mu.Lock()
			s.Instructions += int64(c.laneSteps)
			s.Loads += c.reads.Loads
			s.LoadBytes += c.reads.LoadBytes
			s.Sectors += c.reads.Sectors
			mu.Unlock()
		})
	}
	wg.Wait()
	if first != nil {
		return s, first
	}
	return s, nil
}

// coprime draws a stride that visits each of n places once.
func coprime(n int, seed uint64) int {
	r := random{seed}
	for {
		s := 1 + r.below(n)
		a, b := n, s
		for b != 0 {
			a, b = b, a%b
		}
		if a == 1 {
			return s
		}
	}
}
