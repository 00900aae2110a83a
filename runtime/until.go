package runtime

import "sync/atomic"

// maxSaved bounds what is copied for a turn that is made ahead, in bytes: more takes longer than to wait.
const maxSaved = 1 << 20

// until makes at most n turns of a loop, as long as its condition holds. Of a loop that goes on turns are made ahead:
// one of them is in vain.
func (b *block) until(t *turns, n int, stop *atomic.Bool) error {
	ahead, err := b.foreseer(t)
	made := 0
	for on := true; err == nil && made < n; made++ {
		b.slots[t.slot] = made
		if ahead != nil && made >= warmTurns {
			on, err = b.turnAhead(ahead, t, made, stop)
		} else if on, err = t.while.holds(b.device, b.slots); on && err == nil {
			err = b.turn(t, made, stop)
		}
		if !on {
			break
		}
	}
	if err != nil {
		return err
	}
	return b.end(t, made)
}

// turnAhead makes a turn before the host knows whether it is to be made, and undoes it if it was not: so the device
// has something to do while the host waits for it.
func (b *block) turnAhead(d foreseer, t *turns, turn int, stop *atomic.Bool) (on bool, err error) {
	if err := d.look(t.while.at(b.slots)); err != nil {
		return false, err
	}
	for i, p := range t.over {
		if err := d.copy(t.saved[i], p, len(p.host)); err != nil {
			return false, err
		}
	}
	if err := b.turn(t, turn, stop); err != nil {
		return false, err
	}
	was, err := d.seen()
	if err != nil || was != 0 {
		return was != 0, err
	}
	for i, p := range t.over {
		if err := d.copy(p, t.saved[i], len(p.host)); err != nil {
			return false, err
		}
	}
	return false, nil
}

// foreseer is the device, if turns of t can be made ahead on it.
func (b *block) foreseer(t *turns) (foreseer, error) {
	d, can := b.device.(foreseer)
	if !can || b.watched() || t.looks {
		return nil, nil
	}
	sum := 0
	for _, p := range t.over {
		sum += len(p.host)
	}
	if sum > maxSaved {
		return nil, nil
	}
	for _, p := range t.over[len(t.saved):] {
		to, err := d.spare(len(p.host))
		if err != nil {
			return nil, err
		}
		t.saved = append(t.saved, to)
	}
	return d, nil
}

// end sets the symbol that is the number of turns of a loop with a condition, and what is computed from it.
func (b *block) end(t *turns, made int) error {
	b.slots[t.made] = made
	if err := b.tell(t.ended, made); err != nil {
		return err
	}
	return b.define(b.defs)
}
