package parallel

import "sync"

// Memo keeps what is made for keys. Each is made once, by who asks first; others wait for it.
// The zero Memo is empty.
type Memo[T any] struct {
	mu   sync.Mutex
	made map[string]func() T
}

// Get is what was made for key, or else what f makes now.
func (m *Memo[T]) Get(key string, f func() T) T {
	m.mu.Lock()
	once := m.made[key]
	if once == nil {
		if m.made == nil {
			m.made = map[string]func() T{}
		}
		once = sync.OnceValue(f)
		m.made[key] = once
	}
	m.mu.Unlock()
	return once()
}
