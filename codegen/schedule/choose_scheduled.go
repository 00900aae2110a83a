package schedule

import "mdlc/ir/loop"

// scheduled gives lanes to a page that came with loops.
func (c *chooser) scheduled(page []loop.Stmt) {
	if c.err != nil || len(page) == 0 {
		return
	}
	var stores []*loop.Store
	loop.Walk(page, func(s loop.Stmt) {
		if s, ok := s.(*loop.Store); ok {
			stores = append(stores, s)
		}
	})
	free, _ := leafAxes(stores)
	var lane *loop.Axis
	most := 0.0
	if c.m.Processors > 0 { // lanes are threads, and any work is better shared among them
		most = -1
	}
	for _, a := range free {
		if score := c.contiguity(stores, a); a.Bind == loop.Open && (score > most || lane != nil && score == most && a.Max > lane.Max) {
			lane, most = a, score
		}
	}
	if lane != nil && (c.m.Processors > 0 && lane.Max > c.m.Lanes || !constantExtent(lane)) { // points are small there, and registers are a number that is known
		c.do(Cut, lane.Name, c.m.Lanes, "")
		outer, inner := piecesNamed(c.k, lane)
		c.do(Bind, outer.Name, 0, "par")
		lane = inner
	}
	for _, a := range free { // what stays open is each point's own
		if a != lane && a.Def == nil && a.Bind == loop.Open {
			c.do(Bind, a.Name, 0, "par")
		}
	}
	if lane == nil {
		return
	}
	if lane.Max%c.m.Lanes != 0 {
		c.do(Cut, lane.Name, (lane.Max+c.m.Lanes-1)/c.m.Lanes*c.m.Lanes, "")
		_, lane = piecesNamed(c.k, lane)
	}
	c.do(Vec, lane.Name, c.m.Lanes, "")
}
