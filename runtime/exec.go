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
		err = b.work(stop)
	}
	if err == nil {
		err = b.device.pull(b.outputs...)
	}
	return err
}

// maxRecorded bounds what is recorded of a block: a record takes memory for each launch.
const maxRecorded = 1 << 14

// work does what the block says. From the second run on a device that can replays the record of it.
func (b *block) work(stop *atomic.Bool) error {
	r, can := b.device.(recorder)
	if !can || !b.alike || b.profile != nil || b.numbers != nil {
		return b.all(stop)
	}
	if b.replay != nil {
		if stop != nil && stop.Load() {
			return ErrStopped
		}
		return b.replay()
	}
	b.launches = 0
	err := b.all(stop)
	if err == nil && b.launches <= maxRecorded {
		b.replay, err = r.record(func() error { return b.all(nil) })
	}
	return err
}

func (b *block) all(stop *atomic.Bool) error {
	if err := b.define(b.defs); err != nil {
		return err
	}
	return b.exec(b.steps, stop)
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
	made := 0
	for turn := range n {
		b.slots[t.slot] = turn
		if t.while.exists() {
			if on, err := t.while.holds(b.device, b.slots); err != nil || !on {
				if err != nil {
					return err
				}
				break
			}
		}
		made++
		if err := b.turn(t, turn); err != nil {
			return err
		}
		if err := b.exec(t.steps, stop); err != nil {
			return err
		}
	}
	if t.while.exists() {
		return b.end(t, made)
	}
	return nil
}

// turn tells kernels which turn it is, and the lengths that follow from it.
func (b *block) turn(t *turns, turn int) error {
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

// end sets the symbol that is the number of turns of a loop with a condition, and what is computed from it.
func (b *block) end(t *turns, made int) error {
	b.slots[t.made] = made
	if err := b.tell(t.ended, made); err != nil {
		return err
	}
	return b.define(b.defs)
}

func (b *block) launch(l *launch) error {
	b.launches++
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
		err = b.profile.add(l.kernel, b.device, func() error { return b.phases(l) })
	}
	if err == nil && b.numbers != nil {
		err = b.numbers.end(b, l)
	}
	return err
}

func (b *block) phases(l *launch) error {
	for i := range l.phases {
		if err := b.device.launch(l, &l.phases[i], l.phases[i].points.eval(b.slots)); err != nil {
			return err
		}
	}
	return nil
}
