package runtime

import (
	"encoding/binary"
	"sync/atomic"
)

// setLength sets a symbol that the driver knows.
func (b *block) setLength(name string, n int) { b.slots[b.names[name]] = n }

// run executes the block once. It ends early with ErrStopped where stop is set.
func (b *block) run(stop *atomic.Bool) error {
	if b.first {
		b.device.forget(b.arena, b.lengths)
	}
	err := eachPiece(b.inputs, b.device.push)
	if err == nil {
		err = b.profile.around(b.Name, func() error {
			if err := b.settle(stop); err != nil {
				return err
			}
			return b.work(stop)
		})
	}
	if err == nil {
		err = b.device.pull(b.outputs...)
	}
	return err
}

// settle runs what depends on states alone, where they have changed. A block that keeps nothing is taken to change them.
func (b *block) settle(stop *atomic.Bool) error {
	if b.Settled == 0 {
		*b.states++
		return nil
	}
	if b.seen == *b.states {
		return nil
	}
	if err := b.exec(b.steps[:b.Settled], stop); err != nil {
		return err
	}
	b.seen = *b.states
	return nil
}

// maxKept bounds what is kept of a block or a turn, in launches: each takes memory. Tests make it less.
var maxKept = 1 << 14

// work does what the block says. Where every run asks for the same, a device that can keeps it from the second run on.
func (b *block) work(stop *atomic.Bool) error {
	k := b.keeper()
	if k == nil || !b.alike || b.launches == 0 || b.launches > maxKept {
		b.launches = 0
		return b.all(stop)
	}
	if stop != nil && stop.Load() {
		return ErrStopped
	}
	if b.kept == nil {
		b.launches, b.keeping = 0, true
		var err error
		b.kept, err = k.keep(func() error { return b.all(nil) })
		b.keeping = false
		if err != nil {
			return err
		}
	}
	return b.kept.launch()
}

// keeper is the device, if it can keep what it is asked for.
func (b *block) keeper() keeper {
	if k, can := b.device.(keeper); can && !b.watched() {
		return k
	}
	return nil
}

// watched reports whether somebody wants to see each launch.
func (b *block) watched() bool { return b.profile != nil || b.numbers != nil }

func (b *block) all(stop *atomic.Bool) error {
	if err := b.define(b.defs); err != nil {
		return err
	}
	return b.exec(b.steps[b.Settled:], stop)
}

func (b *block) define(defs []lengthDef) error {
	for i := range defs {
		d := &defs[i]
		if d.set {
			b.slots[d.slot] = d.def.eval(b.slots)
		}
		if err := b.tell(d.out, b.slots[d.slot]); err != nil {
			return err
		}
	}
	return nil
}

// tell writes the value of a symbol where kernels read it.
func (b *block) tell(out []piece, value int) error {
	for _, p := range out {
		binary.LittleEndian.PutUint64(p.host, uint64(value))
		if err := b.device.push(p); err != nil {
			return err
		}
	}
	return nil
}

func (b *block) exec(steps []step, stop *atomic.Bool) error {
	for i := range steps {
		if stop != nil && stop.Load() {
			return ErrStopped
		}
		var err error
		if l := steps[i].launch; l != nil {
			err = b.launch(l)
		} else {
			err = b.loop(steps[i].loop, stop)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *block) loop(t *turns, stop *atomic.Bool) error {
	n := t.count.eval(b.slots)
	if t.while.exists() {
		return b.until(t, n, stop)
	}
	for turn := range n {
		if err := b.turn(t, turn, stop); err != nil {
			return err
		}
	}
	return nil
}

// warmTurns is how many turns a loop has made when it is worth its while to keep one, or to make one ahead, which may be in vain.
const warmTurns = 16

// maxTries bounds how often a turn is kept that proves to be unlike the next.
const maxTries = 3

func (b *block) turn(t *turns, turn int, stop *atomic.Bool) error {
	if t.outermost && b.turned != nil {
		b.turned(turn, t.count.eval(b.slots))
	}
	if b.keeping {
		return b.turnByLaunch(t, turn, nil)
	}
	again, before := &t.again, b.launches
	if k := b.keeper(); k != nil && again.turns >= warmTurns && again.launches <= maxKept && !again.never && !t.looks {
		return b.turnAtOnce(k, t, turn, stop)
	}
	err := b.turnByLaunch(t, turn, stop)
	again.turns++
	again.launches = b.launches - before
	return err
}

func (b *block) turnByLaunch(t *turns, turn int, stop *atomic.Bool) error {
	if err := b.begin(t, turn); err != nil {
		return err
	}
	return b.exec(t.steps, stop)
}

// turnAtOnce keeps a turn, or makes the one that is kept this one by what they differ in.
func (b *block) turnAtOnce(k keeper, t *turns, turn int, stop *atomic.Bool) (err error) {
	if stop != nil && stop.Load() {
		return ErrStopped
	}
	again := &t.again
	b.keeping = true
	defer func() { b.keeping = false }()
	alike, run := true, func() error { return b.turnByLaunch(t, turn, nil) }
	if again.kept == nil {
		again.kept, err = k.keep(run)
	} else {
		alike, err = again.kept.change(run)
	}
	if err != nil {
		return err
	}
	if alike {
		return again.kept.launch()
	}
	again.kept.drop()
	again.kept = nil
	again.tries++
	again.never = again.tries == maxTries
	b.keeping = false
	return b.turnByLaunch(t, turn, stop)
}

// begin tells kernels which turn it is, and the lengths that follow from it.
func (b *block) begin(t *turns, turn int) error {
	b.slots[t.slot] = turn
	if t.turn.host != nil {
		binary.LittleEndian.PutUint32(t.turn.host, uint32(turn))
		if err := b.device.push(t.turn); err != nil {
			return err
		}
	}
	if err := b.tell(t.out, turn); err != nil {
		return err
	}
	return b.define(t.defs)
}

func (b *block) launch(l *launch) error {
	for i := range l.moving {
		m := &l.moving[i]
		l.args[m.arg] = m.base + uintptr(m.offset.eval(b.slots))
	}
	for _, p := range l.scratch {
		b.device.forget(p, b.lengths)
	}
	if b.numbers != nil {
		b.numbers.start(b, l)
	}
	var err error
	if b.profile == nil {
		err = b.phases(l)
	} else {
		err = b.profile.add(l, b.device, func() error { return b.phases(l) })
	}
	if err == nil && b.numbers != nil {
		err = b.numbers.end(b, l)
	}
	return err
}

// phases launches all phases of l, some of them round by round.
func (b *block) phases(l *launch) error {
	for i := 0; i < len(l.phases); {
		n, rounds := 1, 1
		if l.phases[i].rounds {
			rounds = l.rounds.eval(b.slots)
			for i+n < len(l.phases) && l.phases[i+n].rounds {
				n++
			}
		}
		for l.round = range rounds {
			for j := range n {
				ph := &l.phases[i+j]
				b.launches++
				if err := b.encode(l, ph); err != nil {
					return err
				}
				if err := b.device.launch(l, ph, ph.points.eval(b.slots)); err != nil {
					return err
				}
			}
		}
		i += n
	}
	return nil
}

// encode makes the tensor maps of ph those of this launch.
func (b *block) encode(l *launch, ph *phase) (err error) {
	for i := range ph.maps {
		m := &ph.maps[i]
		at := l.args[m.src.Arg]
		same := at == m.at
		for j := range m.sizes {
			n := max(m.sizes[j].eval(b.slots), 1) // there are no tensors without elements, nor boxes of them
			same = same && n == m.dims[j]
			m.dims[j] = n
		}
		if same {
			continue
		}
		if m.words, err = b.device.encode(l.kernel, m.src, at, m.dims); err != nil {
			return err
		}
		m.at = at
	}
	return nil
}
