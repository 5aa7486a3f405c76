package app

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// ImportFile says which file to import, and how.
type ImportFile struct {
	Path string
	// DryRun checks every row and writes nothing but the report of errors.
	DryRun bool
	// Restart begins at the first line, also when an earlier import of the file was cut off.
	Restart bool
	// Progress hears how many bytes of how many are done. Nil is not to know.
	Progress func(done, total int)
}

// Beside an import file lie, under these endings, the errors of its rows, and how far an import came that was cut off.
const (
	errorsEnding = ".errors.jsonl"
	stateEnding  = ".state"
)

// ImportProducts imports the products of a file in the JSONL format of the contract. Rows that cannot be imported are
// written to a file of the same name that ends in .errors.jsonl, one problem a line, and the others are imported.
// Pictures are read from the file's directory. An import that was cut off goes on where it was when it is called
// again, as long as the file is the same.
func (s *Shop) ImportProducts(ctx context.Context, f ImportFile) (report ImportReport, err error) {
	if err := f.check(); err != nil {
		return report, err
	}
	run, err := s.openImport(ctx, f)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, run.close(err == nil)) }()
	report, err = s.Import(ctx, run.reader.next, ImportOptions{
		DryRun: f.DryRun, Reason: "import " + filepath.Base(f.Path), Refused: run.refused, Warned: run.warned, Checkpoint: run.checkpoint,
	})
	return run.done.plus(report), err
}

func (f *ImportFile) check() error {
	switch ending := strings.ToLower(filepath.Ext(f.Path)); ending {
	case ".jsonl", ".ndjson":
		return nil
	case ".csv":
		return fmt.Errorf("%s: CSV cannot be imported yet. Give one JSON object a line in a .jsonl file: shopd import products --help shows one", f.Path)
	default:
		return fmt.Errorf("%s: files that end in %q cannot be imported: give a .jsonl file", f.Path, ending)
	}
}

func (r ImportReport) plus(o ImportReport) ImportReport {
	return ImportReport{
		Rows: r.Rows + o.Rows, Products: r.Products + o.Products, Variants: r.Variants + o.Variants, Refused: r.Refused + o.Refused,
		Warnings: r.Warnings + o.Warnings,
	}
}

// importState is how far an import came. Shop is which one it went to; Size and Modified tell the file from another
// of its name.
type importState struct {
	Shop     string       `json:"shop"`
	Size     int64        `json:"size"`
	Modified time.Time    `json:"modified"`
	Offset   int64        `json:"offset"` // bytes of the file that are done
	Line     int64        `json:"line"`   // lines of it
	Errors   int64        `json:"errors"` // bytes of the report of errors that belong to them
	Report   ImportReport `json:"report"`
}

// importRun is an import file that is being read, with the files beside it.
type importRun struct {
	ImportFile
	file    *os.File
	root    *os.Root
	reader  *jsonlReader
	errors  *os.File
	written int64 // bytes of errors
	state   importState
	done    ImportReport // by an import before that was cut off
}

func (s *Shop) openImport(ctx context.Context, f ImportFile) (_ *importRun, err error) {
	run := &importRun{ImportFile: f}
	defer func() {
		if err != nil {
			err = errors.Join(err, run.close(false))
		}
	}()
	if run.file, err = os.Open(f.Path); err != nil {
		return nil, err
	}
	info, err := run.file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", f.Path)
	}
	if run.root, err = os.OpenRoot(filepath.Dir(f.Path)); err != nil {
		return nil, err
	}
	fresh := importState{Size: info.Size(), Modified: info.ModTime().UTC()}
	if fresh.Shop, err = s.identity(ctx); err != nil {
		return nil, err
	}
	if run.state, err = f.findState(fresh); err != nil {
		return nil, err
	}
	run.done = run.state.Report
	if _, err := run.file.Seek(run.state.Offset, io.SeekStart); err != nil {
		return nil, err
	}
	if err := run.openErrors(); err != nil {
		return nil, err
	}
	run.reader = &jsonlReader{
		in: bufio.NewReaderSize(run.file, 1<<16), line: run.state.Line, offset: run.state.Offset,
		pictures: &pictureImporter{root: run.root, media: s.media, dryRun: f.DryRun},
	}
	return run, nil
}

// openErrors opens the report of errors behind those of lines that are done: the others come again.
func (r *importRun) openErrors() (err error) {
	if r.errors, err = os.OpenFile(r.Path+errorsEnding, os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
		return err
	}
	info, err := r.errors.Stat()
	if err != nil {
		return err
	}
	r.written = min(r.state.Errors, info.Size())
	if err := r.errors.Truncate(r.written); err != nil {
		return err
	}
	_, err = r.errors.Seek(r.written, io.SeekStart)
	return err
}

// identitySQL tells one database from all others: by when it was made.
const identitySQL = `
select current_database() || ' of ' || min(tstamp)
from public.goose_db_version`

func (s *Shop) identity(ctx context.Context) (identity string, err error) {
	if err := s.pools.catalog.QueryRow(ctx, identitySQL).Scan(&identity); err != nil {
		return "", fmt.Errorf("find out which database this is: %w", err)
	}
	return identity, nil
}

// findState returns where to begin: fresh is the start, and found where an import of the same file into the same shop
// was cut off.
func (f *ImportFile) findState(fresh importState) (found importState, err error) {
	if f.Restart || f.DryRun {
		return fresh, nil
	}
	body, err := os.ReadFile(f.Path + stateEnding)
	if errors.Is(err, fs.ErrNotExist) {
		return fresh, nil
	}
	if err != nil {
		return fresh, err
	}
	readable := json.Unmarshal(body, &found) == nil
	if !readable || found.Shop != fresh.Shop || found.Size != fresh.Size || !found.Modified.Equal(fresh.Modified) {
		return fresh, nil // that was something else
	}
	return found, nil
}

// importError is a line of the report of errors.
type importError struct {
	Line     int64  `json:"line"`
	SKU      string `json:"sku,omitempty"`
	Severity string `json:"severity"` // "error": the row is not imported; "warning": it is, without this
	RowProblem
}

func (r *importRun) refused(bad RowError) error {
	for _, p := range bad.Problems {
		if err := r.report(importError{bad.Line, bad.SKU, "error", p}); err != nil {
			return err
		}
	}
	return nil
}

func (r *importRun) warned(line int64, sku string, p RowProblem) error {
	return r.report(importError{line, sku, "warning", p})
}

func (r *importRun) report(e importError) error {
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	n, err := r.errors.Write(append(text, '\n'))
	r.written += int64(n)
	return err
}

// checkpoint writes down how far the import is.
func (r *importRun) checkpoint(line, end int64, report ImportReport) error {
	r.state.Offset, r.state.Line, r.state.Errors, r.state.Report = end, line, r.written, r.done.plus(report)
	if r.Progress != nil {
		r.Progress(int(end), int(r.state.Size))
	}
	if r.DryRun {
		return nil
	}
	body, err := json.Marshal(r.state)
	if err != nil {
		return err
	}
	partial := r.Path + stateEnding + ".new"
	if err := os.WriteFile(partial, body, 0o644); err != nil {
		return err
	}
	return os.Rename(partial, r.Path+stateEnding)
}

// close ends the run; when all went well it leaves nothing behind but errors that there were.
func (r *importRun) close(whole bool) error {
	var failures []error
	for _, file := range []*os.File{r.file, r.errors} {
		if file != nil {
			failures = append(failures, file.Close())
		}
	}
	if r.root != nil {
		failures = append(failures, r.root.Close())
	}
	if whole && r.written == 0 {
		failures = append(failures, remove(r.Path+errorsEnding))
	}
	if whole && !r.DryRun {
		failures = append(failures, remove(r.Path+stateEnding))
	}
	return errors.Join(failures...)
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
