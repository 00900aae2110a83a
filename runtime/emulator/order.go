package emulator

// Order between the threads of a cluster. Each thread counts its releases: its
// clock. A view says, for each thread of the cluster, up to which of its clocks
// its accesses come before what the owner of the view does now. What runs beside the
// threads, as copies do, has numbers behind theirs: it is an agent. Barriers, and
// whatever else synchronises, join the views of those who arrive and hand the
// result to those who go on. A view is never changed once a thread has it, so
// all threads that passed a barrier share one.
type view []uint32

// A stamp is an access: thread, clock and place. The highest bit marks memory
// that an asynchronous copy is still to write; 0 is no access.
type stamp uint64

const (
	stampFlight stamp = 1 << 63
	stampGap    stamp = ^stamp(0) // a cell between variables
	clockBits         = 26
	placeBits         = 22
	maxThreads        = 1024 // of a block
	maxAgents         = 1 << (63 - clockBits - placeBits)
)

func makeStamp(thread int, clock uint32, pc int32) stamp {
	return stamp(thread)<<(clockBits+placeBits) | stamp(clock&(1<<clockBits-1))<<placeBits | stamp(pc)
}

func (s stamp) thread() int   { return int(s>>(clockBits+placeBits)) & (maxAgents - 1) }
func (s stamp) clock() uint32 { return uint32(s>>placeBits) & (1<<clockBits - 1) }
func (s stamp) pc() int32     { return int32(s & (1<<placeBits - 1)) }

// before tells whether access s comes before what thread does under view v.
func (s stamp) before(thread int, v view) bool {
	t := s.thread()
	return t == thread || v[t] >= s.clock()
}

// A meeting collects what those who have arrived at a synchronisation hand over.
type meeting struct {
	v    view
	last *uint32 // the view that was joined last, to do it once for all that share it
}

// release hands over what lanes of w have done, and starts their next clock.
func (m *meeting) release(w *warp, lanes uint32) {
	if m.v == nil {
		m.v = make(view, w.blk.viewLength)
	}
	for l := range eachLane(lanes) {
		if v := w.views[l]; &v[0] != m.last {
			m.last = &v[0]
			for t, c := range v {
				m.v[t] = max(m.v[t], c)
			}
		}
	}
	for l := range eachLane(lanes) {
		t := w.thread(l)
		m.v[t] = max(m.v[t], w.clocks[l])
		w.clocks[l]++
	}
}

// acquire lets lanes of w see what was handed over.
func (m *meeting) acquire(w *warp, lanes uint32) {
	for l := range eachLane(lanes) {
		w.views[l] = m.v
	}
}
