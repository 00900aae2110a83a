package codegen

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"
)

// cacheBytes bounds the cache; the objects unused for longest go first.
const cacheBytes = 512 << 20

// cacheSuffix marks our files, so that nothing else in the folder is ever removed.
const cacheSuffix = ".mdlc-so"

// Cache is a folder of compiled objects named by the hash of what they were made of.
// A file is its checksum followed by the object: a damaged one counts as absent.
// Files appear by renaming, so that processes may share the folder.
type Cache struct{ dir string }

// OpenCache uses dir, or if it is empty $MDLC_CACHE, or the user's cache folder.
func OpenCache(dir string) (*Cache, error) {
	if dir == "" {
		dir = os.Getenv("MDLC_CACHE")
	}
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("no folder for compiled kernels: %w; set MDLC_CACHE", err)
		}
		dir = filepath.Join(base, "mdlc")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("folder for compiled kernels: %w; set MDLC_CACHE to another", err)
	}
	return &Cache{dir: dir}, nil
}

// Dir is the folder.
func (c *Cache) Dir() string { return c.dir }

// Get returns what was kept under these strings, or nil.
func (c *Cache) Get(key ...string) []byte { return c.get(cacheKey(key...)) }

// Put keeps data under these strings, which must say all that it depends on.
func (c *Cache) Put(data []byte, key ...string) { c.put(cacheKey(key...), data) }

// cacheKey hashes a list of strings; their lengths keep neighbours apart.
func cacheKey(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s\n", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (c *Cache) path(key string) string { return filepath.Join(c.dir, key+cacheSuffix) }

// get returns the object of a key, or nil.
func (c *Cache) get(key string) []byte {
	data, err := os.ReadFile(c.path(key))
	if err != nil || len(data) < sha256.Size {
		return nil
	}
	object := data[sha256.Size:]
	sum := sha256.Sum256(object)
	if !bytes.Equal(sum[:], data[:sha256.Size]) {
		return nil
	}
	now := time.Now()
	os.Chtimes(c.path(key), now, now) // marks it as used; a failure only makes it older
	return object
}

// put keeps an object. A cache that cannot be written costs time, not correctness.
func (c *Cache) put(key string, object []byte) {
	f, err := os.CreateTemp(c.dir, "new-*"+cacheSuffix)
	if err != nil {
		return
	}
	sum := sha256.Sum256(object)
	_, err1 := f.Write(append(sum[:], object...))
	err2 := f.Close()
	if err1 != nil || err2 != nil || os.Rename(f.Name(), c.path(key)) != nil {
		os.Remove(f.Name())
		return
	}
	c.trim(cacheBytes)
}

// trim removes the objects unused for longest until the rest fit limit.
func (c *Cache) trim(limit int64) {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return
	}
	var files []fs.FileInfo
	var total int64
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.HasSuffix(e.Name(), cacheSuffix) {
			files = append(files, info)
			total += info.Size()
		}
	}
	sort.Slice(files, func(i, j int) bool { return files[i].ModTime().Before(files[j].ModTime()) })
	for _, f := range files {
		if total <= limit {
			return
		}
		if os.Remove(filepath.Join(c.dir, f.Name())) == nil {
			total -= f.Size()
		}
	}
}
