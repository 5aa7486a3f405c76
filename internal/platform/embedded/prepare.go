package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

const (
	version       = embeddedpostgres.V17
	repositoryURL = "https://repo1.maven.org/maven2"
	// prepareLimit bounds one start of the fresh server; downloading comes before and is not counted.
	prepareLimit = 60 * time.Second
)

// programs is the directory of PostgreSQL's programs, shared by all databases of the user.
func (c *cluster) programs() string {
	return filepath.Join(c.spec.Cache, "postgresql-"+string(version))
}

// prepare makes what is missing of programs and data files. The library does all of it in one go: download, check,
// unpack, initdb, create the database. It works on temporary names, and what it made gets its own name at the end, so
// that a half-made directory is never taken for a whole one.
func (c *cluster) prepare() error {
	if err := c.checkVersion(); err != nil {
		return err
	}
	if !exists(c.programs()) {
		return c.fetch()
	}
	if exists(c.path(dataName)) {
		return nil
	}
	if err := c.makeAll(c.programs()); err != nil {
		return err
	}
	return c.keepData()
}

// fetch gets the programs, and what else is missing. One process of the user fetches, the others wait.
func (c *cluster) fetch() error {
	lock, err := os.OpenFile(filepath.Join(c.spec.Cache, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open the cache of PostgreSQL's programs: %w", err)
	}
	defer func() { _ = lock.Close() }() // closing is how it is unlocked
	if err := c.awaitLock(lock); err != nil {
		return err
	}
	if exists(c.programs()) {
		return c.prepare()
	}
	programs := c.programs() + ".new"
	if err := os.RemoveAll(programs); err != nil {
		return fmt.Errorf("clean up an earlier attempt: %w", err)
	}
	if err := c.makeAll(programs); err != nil {
		return err
	}
	if err := os.Rename(programs, c.programs()); err != nil {
		return fmt.Errorf("keep PostgreSQL's programs: %w", err)
	}
	return c.keepData()
}

// keepData makes the new data files the database, unless there is one: then only the programs were missing.
func (c *cluster) keepData() error {
	if exists(c.path(dataName)) {
		return os.RemoveAll(c.path(newDataName))
	}
	if err := os.Rename(c.path(newDataName), c.path(dataName)); err != nil {
		return fmt.Errorf("keep the new database: %w", err)
	}
	return nil
}

// checkVersion refuses data files of another PostgreSQL.
func (c *cluster) checkVersion() error {
	content, err := os.ReadFile(c.path(dataName, "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the database's version: %w", err)
	}
	major, _, _ := strings.Cut(string(version), ".")
	if found := strings.TrimSpace(string(content)); found != major {
		return fmt.Errorf("the database was made by PostgreSQL %s and this program brings %s: start over with --reset, or give SHOPD_DATABASE_URL", found, major)
	}
	return nil
}

// awaitLock waits for another database that is just fetching the programs.
func (c *cluster) awaitLock(lock *os.File) error {
	for tries := 0; tryLock(lock) != nil; tries++ {
		if tries == 10 {
			c.say(message{Progress: "Waiting for another shopd that is fetching PostgreSQL"})
		}
		select {
		case <-c.quit:
			return errQuit
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

// makeAll lets the library make the programs and new data files. It can be interrupted only while downloading: later
// a server is about to run or runs, and it is shut down properly.
func (c *cluster) makeAll(programs string) error {
	temporary := c.path("tmp")
	if err := errors.Join(os.RemoveAll(c.path(newDataName)), os.RemoveAll(temporary)); err != nil {
		return fmt.Errorf("clean up an earlier attempt: %w", err)
	}
	if err := os.MkdirAll(temporary, 0o700); err != nil {
		return fmt.Errorf("make room for the database: %w", err)
	}
	defer func() { _ = os.RemoveAll(temporary) }()         // the next attempt removes it first
	if err := os.Setenv("TMPDIR", temporary); err != nil { // the library leaves files there
		return fmt.Errorf("make room for the database: %w", err)
	}
	c.sayWhatComes()
	made := make(chan error, 1)
	go func() { made <- c.runLibrary(programs, temporary) }()
	select {
	case err := <-made:
		return err
	case <-c.quit:
	}
	if !c.downloaded() {
		return errQuit
	}
	return errors.Join(errQuit, <-made)
}

func (c *cluster) sayWhatComes() {
	if !exists(c.programs()) && !c.downloaded() {
		c.say(message{Progress: fmt.Sprintf("Downloading PostgreSQL %s (15 MB, this once) to %s", version, c.spec.Cache)})
	}
	if !exists(c.path(dataName)) {
		c.say(message{Progress: "Making the database"})
	}
}

func (c *cluster) runLibrary(programs, temporary string) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	repository := repositoryURL
	if c.spec.Repository != "" {
		repository = c.spec.Repository
	}
	log, err := os.OpenFile(c.path(logName), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("open the database's log: %w", err)
	}
	defer func() { _ = log.Close() }() // losing its last line is no reason to fail
	fresh := embeddedpostgres.NewDatabase(embeddedpostgres.DefaultConfig().
		Version(version).Port(uint32(port)).Username(databaseUser).Password(c.spec.Password).Database(databaseName).
		CachePath(c.spec.Cache).BinariesPath(programs).RuntimePath(filepath.Join(temporary, "run")).DataPath(c.path(newDataName)).
		Locale("C").Encoding("UTF8").StartParameters(parameters()).StartTimeout(prepareLimit).
		BinaryRepositoryURL(repository).Logger(log))
	if err := fresh.Start(); err != nil {
		return c.explain(err)
	}
	if err := fresh.Stop(); err != nil {
		return fmt.Errorf("finish making the database: %w", err)
	}
	return nil
}

// explain turns a failed preparation into what to do about it.
func (c *cluster) explain(err error) error {
	if !c.downloaded() && !exists(c.programs()) {
		return fmt.Errorf("PostgreSQL's programs are not in %s yet and cannot be downloaded (%w): connect to the network for the first start, "+
			"or give SHOPD_DATABASE_URL of a PostgreSQL 15 or newer", c.spec.Cache, err)
	}
	if strings.Contains(err.Error(), "extract postgres archive") {
		for _, archive := range c.archives() {
			err = errors.Join(err, os.Remove(archive))
		}
		return fmt.Errorf("PostgreSQL's programs cannot be unpacked; the next start downloads them again: %w", err)
	}
	return fmt.Errorf("make the database: %w", err)
}

// archives are the downloaded files that the programs are unpacked from.
func (c *cluster) archives() []string {
	found, err := filepath.Glob(filepath.Join(c.spec.Cache, "embedded-postgres-binaries-*-"+string(version)+".txz"))
	if err != nil {
		return nil // only a malformed pattern does that
	}
	return found
}

func (c *cluster) downloaded() bool { return len(c.archives()) > 0 }

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
