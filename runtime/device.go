package runtime

import (
	"time"

	"mdlc/runtime/program"
)

// device runs kernels. Its memory is an image of the host's, piece by piece; the CPU's is the
// host's itself. Launches and pushes take effect in the order in which they are asked for.
type device interface {
	// title names it for people.
	title() string
	// place gives a new piece of the host's memory its image, which holds nothing yet.
	place(name string, host []byte) (piece, error)
	// part is n bytes of a piece from offset on, under a name of its own.
	part(whole piece, name string, offset, n int) (piece, error)
	// function finds the code of a phase.
	function(kernel int, ph *program.Phase) (uintptr, error)
	// encode makes of a tensor map what a kernel takes, for a tensor at an address whose dimensions are known now.
	encode(kernel int, m *program.TensorMap, at uintptr, dims []int) ([program.MapWords]uint64, error)
	// launch runs a phase for that many points, maybe after it returns.
	launch(l *launch, ph *phase, points int) error
	// push brings what the host has to the device. The host may change it as soon as push returns.
	push(p piece) error
	// pull brings what the device has to the host, when all launches are done.
	pull(pieces ...piece) error
	// forget says that what the device has in p is of no use any more. Kernels may read it all the
	// same if lengths are known only now: up to its capacity, what they drop.
	forget(p piece, lengths bool)
	// measure tells how long the device needs for the launches of run.
	measure(run func() error) (time.Duration, error)
	// workers is how many threads of this process run kernels.
	workers() int
	// memory is the number of bytes beside those of pieces.
	memory() int64
	close()
}

// keeper is a device that can keep what it is asked for, launches and pushes, so as to be asked for all of it at once.
type keeper interface {
	// keep notes what run asks for, without doing it.
	keep(run func() error) (kept, error)
}

// kept is what a device was asked for.
type kept interface {
	launch() error
	// change makes it what run asks for now. false: they are too different for that, and it has not changed.
	change(run func() error) (bool, error)
	drop()
}

// foreseer is a device that the host can ask for more before it knows a condition that the device computes.
type foreseer interface {
	// spare is n bytes of the device alone.
	spare(n int) (piece, error)
	// copy makes n bytes of to what from has.
	copy(to, from piece, n int) error
	// look asks for what p, one byte, is when all is done that was asked for before. seen waits for that, but for nothing
	// that was asked for later.
	look(p piece) error
	seen() (byte, error)
}

// piece is memory that the driver and kernels share: the host's bytes, and where kernels find them.
type piece struct {
	host []byte
	at   uintptr
}

func (p piece) byteAt(i int) piece { return piece{p.host[i : i+1], p.at + uintptr(i)} }
