package emulator

import (
	"fmt"
	"math/bits"
)

// A cluster is blocks that run side by side and may reach each other's shared memory: one
// block, unless the kernel asks for more. It runs on one goroutine. Its parts are kept for
// the next cluster.
type cluster struct {
	k          *Kernel
	l          *launch
	number     int32
	blocks     []*block
	every      []*warp // of all blocks
	threads    int     // of all blocks, and those of them that have not ended
	running    int
	agents     []agent // those with numbers so far, behind those of the threads
	numbers    int     // threads and agents: the length of a view, or of one of its three parts (proxy.go)
	viewLength int
	readers    readers
	flights    []flight
	boxes      uint32 // of tensors, copied so far
	barrier    clusterBarrier
	idle       int // turns since a phase was completed in which all that could run polled
	rnd        random
	steps      int
	laneSteps  int
	reads      Stats // of all clusters that it was
	fault      *Fault
	ready      []*split
}

// An agent is what runs beside threads and has a number in views, as they do.
type agent uint8

const (
	ofMbarrier agent = iota // copies that it counts
	ofThread                // its copies out of shared memory
	ofGroup                 // products of a warpgroup
	ofEarlier               // kernels launched earlier: the first agent where there are such
)

var agentNames = [...]struct{ name, wait string }{
	ofMbarrier: {"a copy that an mbarrier counts", "and nothing that has waited for that mbarrier comes before"},
	ofThread:   {"a bulk copy", "and nothing that has waited for it by cp.async.bulk.wait_group comes before"},
	ofEarlier:  {"a kernel launched earlier", ""},
	ofGroup:    {"a product of a warpgroup", "and nothing that has waited for it by wgmma.wait_group comes before"},
}

const (
	maxCluster = 16  // blocks
	poolBlock  = 256 // agents that a block may have: its mbarriers, and whoever copies
)

// pool is how many agents a cluster has room for.
func (l *launch) pool() int {
	if l.k.mbarriers || l.k.proxy || l.earlier.from > 0 {
		return poolBlock * volume(l.cluster)
	}
	return 0
}

func volume(v [3]int) int { return v[0] * v[1] * v[2] }

func (l *launch) clusters() int { return volume(l.grid) / volume(l.cluster) }

// checkCluster settles how many blocks a cluster has: as the kernel asks for, or the launch.
func (l *launch) checkCluster() error {
	f := l.k.entry
	switch {
	case l.cluster == [3]int{}:
		l.cluster = [3]int{1, 1, 1}
		if f.cluster != [3]int{} {
			l.cluster = f.cluster
		}
	case f.cluster != [3]int{} && f.cluster != l.cluster:
		return fmt.Errorf("it is made for clusters of %v blocks, not %v", f.cluster, l.cluster)
	}
	for i := range 3 {
		if l.cluster[i] < 1 || l.grid[i]%l.cluster[i] != 0 {
			return fmt.Errorf("a grid of %v blocks is no number of clusters of %v", l.grid, l.cluster)
		}
	}
	most := maxCluster
	if f.maxCluster > 0 {
		most = min(most, f.maxCluster)
	}
	if n := volume(l.cluster); n > most {
		return fmt.Errorf("a cluster of %d blocks is larger than %d", n, most)
	}
	return nil
}

// blockID is the place in the grid of a block of cluster n.
func (l *launch) blockID(n, rank int) [3]int {
	var id [3]int
	for i := range 3 {
		across := l.grid[i] / l.cluster[i]
		id[i] = n%across*l.cluster[i] + rank%l.cluster[i]
		n, rank = n/across, rank/l.cluster[i]
	}
	return id
}

func newCluster(l *launch) *cluster {
	n := volume(l.cluster)
	c := &cluster{k: l.k, l: l, threads: n * l.threads}
	c.numbers = c.threads + l.pool()
	c.viewLength = c.numbers
	if l.k.proxy {
		c.viewLength = 3 * c.numbers
	}
	c.readers.threads = c.numbers
	for rank := range n {
		b := newBlock(c, rank)
		c.blocks = append(c.blocks, b)
		c.every = append(c.every, b.warps...)
	}
	return c
}

// reset makes the cluster ready to run as number n of the grid.
func (c *cluster) reset(n int) {
	c.number = int32(n)
	c.running, c.steps, c.fault = c.threads, 0, nil
	c.rnd = random{c.l.seed ^ uint64(n)*0x9e3779b97f4a7c15}
	c.agents, c.flights, c.idle, c.boxes = c.agents[:0], nil, 0, 0
	c.barrier = clusterBarrier{}
	if c.l.earlier.from > 0 {
		c.agents = append(c.agents, ofEarlier)
	}
	c.readers.reset()
	start := make(view, c.viewLength)
	for _, b := range c.blocks {
		b.reset(start)
	}
}

// maxIdle bounds the turns in which all that can run polls mbarriers in vain.
const maxIdle = 1000

// pollAgain wakes the splits that poll: what they do after a failed try may help others.
func (c *cluster) pollAgain() bool {
	c.idle++
	if c.idle > maxIdle {
		return false
	}
	any := false
	for _, w := range c.every {
		for _, s := range w.splits {
			any = any || s.wait == waitPoll
		}
	}
	c.wake()
	return any
}

// early tells whether a copy is to land although others could go on.
func (c *cluster) early() bool {
	return c.l.seed&1 != 0 && len(c.flights) > 0 && c.rnd.below(8) == 0
}

// run executes the cluster: again and again some split that can go on, for some
// number of instructions.
func (c *cluster) run() {
	for c.running > 0 && c.fault == nil {
		c.ready = c.ready[:0]
		for _, w := range c.every {
			for _, s := range w.splits {
				if s.wait == running {
					c.ready = append(c.ready, s)
				}
			}
		}
		if len(c.ready) == 0 {
			if !c.deliver() && !c.pollAgain() {
				c.stuck()
				return
			}
			continue
		}
		if c.early() {
			c.deliver()
			continue
		}
		s := c.ready[c.rnd.below(len(c.ready))]
		fuel := 1 << c.rnd.below(12)
		s.w.run(s, fuel)
		if c.steps > c.l.limit && c.fault == nil {
			s.w.faultAt(s.pc, bits.TrailingZeros32(s.mask|1<<31), NoEnd, nil, "the block has run %d instructions and does not end: it loops, or waits for what does not come", c.steps)
		}
	}
}
