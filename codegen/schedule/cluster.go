package schedule

import (
	"fmt"
	"slices"

	"mdlc/ir/loop"
)

// Cluster z 2, before: points make tiles one after another, and each asks for all that it multiplies
//
//	ring R[4]
//	axis worker: 132 par, i0 = .., j0 = ..
//	fill R t { SA[t % 4,..] = A[i0*128 + row,..] async   SB[t % 4,block,..] = B[..,j0*256 + block*64 + col] async }
//
// after: two neighbouring points make two tiles that lie below each other, at the same time. What both multiply each asks for one half of, which comes to both.
//
//	ring R[4] cluster 2
//	i0 = ..*2 + worker % 2
//	fill R t { SA[t % 4,..] = A[i0*128 + row,..] async   SB[t % 4,worker%2*2 + block,..] = B[..] async multicast }

// clusterPoints are those of a cluster. More share more, but wait for each other: public kernels lose by clusters of four.
const clusterPoints = 2

// cluster is how points share operands.
type cluster struct {
	points int // of a cluster
	shared int // the operand that all of them multiply
	along  int // which of the axes of tiles tells them apart
}

// clusterOf finds the operand of d that points which differ in one of the axes of tiles have together: the columns, if it may be, which are more. The
// extents are those of the clusters' tiles then.
func (s *stager) clusterOf(d *loop.Value, par []*loop.Axis, extents []*loop.Value) (*cluster, error) {
	n := s.clusters[d.Name]
	delete(s.clusters, d.Name)
	if n == 0 {
		return nil, nil
	}
	for _, shared := range []int{1, 0} {
		has, lacks := s.deps.value(d.Args[1-shared]), s.deps.value(d.Args[shared])
		along := slices.IndexFunc(par, func(a *loop.Axis) bool { return loop.Has(has, a) && !loop.Has(lacks, a) })
		if along < 0 {
			continue
		}
		if all, fixed := extents[along].IntConst(); fixed && int(all)%n == 0 {
			extents[along] = intValue(int(all) / n)
			return &cluster{n, shared, along}, nil
		}
	}
	return nil, fmt.Errorf("tiles of %s come in no multiples of %d", d.Name, n)
}

// rank is the number of a point in its cluster.
func (t *tiles) rank() *loop.Value { return rest(axisValue(t.worker), t.cluster.points) }

// share is a point's part of the blocks of rows of a slot: how many blocks and rows, and which are the first.
func (t *tiles) share(blocks, rows int) (nBlocks, nRows int, block, row *loop.Value) {
	n := t.cluster.points
	if blocks%n == 0 {
		return blocks / n, rows, times(t.rank(), blocks/n), intValue(0)
	}
	return blocks, rows / n, intValue(0), times(t.rank(), rows/n)
}
