package embedded

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

const (
	// systemDataDir and systemCacheDir are root's places: PostgreSQL runs as another user, who cannot look into root's home.
	systemDataDir  = "/var/lib/shopd"
	systemCacheDir = "/var/cache"
	// nobody is the user PostgreSQL runs as when we are root and the data directory is root's.
	nobody = 65534
	// homeName is the directory of the database, or a link to it, within the data directory.
	homeName = "postgres"
)

// place says where PostgreSQL lives and who it runs as.
type place struct {
	uid, gid int    // -1 for the user we are
	home     string // data files, log and lock
	cache    string // programs
}

// findPlace settles the place for a data directory and makes its directories.
func findPlace(dir, cache string) (place, error) {
	p := place{uid: -1, gid: -1, home: filepath.Join(dir, homeName), cache: cache}
	if os.Geteuid() != 0 {
		return p, p.makeOwn()
	}
	p.uid, p.gid = unprivilegedOwner(dir)
	if err := os.Chmod(dir, 0o711); err != nil { //nolint:gosec // others may pass through, not look
		return p, fmt.Errorf("let the database's user into the data directory: %w", err)
	}
	if err := p.makeHome(dir); err != nil {
		return p, err
	}
	if p.cache == "" {
		base := systemCacheDir
		if xdg := os.Getenv("XDG_CACHE_HOME"); filepath.IsAbs(xdg) && reachable(xdg, p.uid, p.gid) {
			base = xdg
		}
		p.cache = filepath.Join(base, "shopd", "postgres-"+strconv.Itoa(p.uid))
	}
	return p, p.makeOwned(p.cache)
}

func (p *place) makeOwn() error {
	if p.cache == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return fmt.Errorf("find a place for PostgreSQL's programs: %w", err)
		}
		p.cache = filepath.Join(base, "shopd", "postgres")
	}
	return errors.Join(os.MkdirAll(p.home, 0o700), os.MkdirAll(p.cache, 0o755))
}

// unprivilegedOwner is who the directory belongs to, or nobody when that is root.
func unprivilegedOwner(dir string) (uid, gid int) {
	info, err := os.Stat(dir)
	if err != nil {
		return nobody, nobody
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Uid != 0 {
		return int(stat.Uid), int(stat.Gid)
	}
	return nobody, nobody
}

// makeHome puts the database into the data directory, or, where its user cannot get that far (below root's home, say),
// under /var/lib/shopd with a link in the data directory.
func (p *place) makeHome(dir string) error {
	if reachable(dir, p.uid, p.gid) {
		return p.makeOwned(p.home)
	}
	link := p.home
	sum := sha256.Sum256([]byte(dir))
	p.home = filepath.Join(systemDataDir, "postgres-"+hex.EncodeToString(sum[:6]))
	target, err := os.Readlink(link)
	if err == nil && target == p.home {
		return p.makeOwned(p.home)
	}
	// Without the link, what is there belongs to a data directory that somebody has removed.
	if err := os.RemoveAll(p.home); err != nil {
		return fmt.Errorf("remove an abandoned database: %w", err)
	}
	if err := p.makeOwned(p.home); err != nil {
		return err
	}
	if err := os.Symlink(p.home, link); err != nil {
		return fmt.Errorf("link the database into the data directory: %w", err)
	}
	return nil
}

// makeOwned makes a directory that belongs to the database's user.
func (p *place) makeOwned(path string) error {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return fmt.Errorf("make a directory for the database: %w", err)
	}
	if err := os.Chown(path, p.uid, p.gid); err != nil {
		return fmt.Errorf("give the database its directory: %w", err)
	}
	return nil
}

// reachable reports whether the user may enter the directory and all above it. What does not exist yet does not stop
// him: it is made with a mode that lets everybody in.
func reachable(dir string, uid, gid int) bool {
	for {
		info, err := os.Stat(dir)
		if err == nil && !mayEnter(info, uid, gid) {
			return false
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return true
		}
		dir = parent
	}
}

func mayEnter(info fs.FileInfo, uid, gid int) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return false
	}
	mode := info.Mode().Perm()
	switch {
	case int(stat.Uid) == uid:
		return mode&0o100 != 0
	case int(stat.Gid) == gid:
		return mode&0o010 != 0
	}
	return mode&0o001 != 0
}

// removePostgres removes the database of a data directory, also where it is only linked.
func removePostgres(dir string) error {
	link := filepath.Join(dir, homeName)
	target, err := os.Readlink(link)
	if err == nil && filepath.Dir(target) == systemDataDir {
		if err := os.RemoveAll(target); err != nil {
			return fmt.Errorf("remove the database: %w", err)
		}
	}
	if err := os.RemoveAll(link); err != nil {
		return fmt.Errorf("remove the database: %w", err)
	}
	return nil
}
