package ir

type AttrParser struct{}

func parseCast(p *AttrParser) (Attr, error) { return nil, nil }

var parseIndex, parseReduce, parseDot, parseParam, parseConst, parseIota, parseBits, parseTopK, parseLoop, parseGet, parseCluster = parseCast, parseCast, parseCast, parseCast, parseCast, parseCast, parseCast, parseCast, parseCast, parseCast, parseCast
