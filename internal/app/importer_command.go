package app

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// ImportCommand is what shopd import products is given.
type ImportCommand struct {
	File    string
	Data    string // directory of a running demo; empty is the settings' shop
	DryRun  bool
	Restart bool
}

// ImportProducts imports a file, shows how far it is, and says what became of it. It returns ErrReported when rows
// were refused.
func (p Program) ImportProducts(ctx context.Context, c ImportCommand) error {
	file := ImportFile{Path: c.File, DryRun: c.DryRun, Restart: c.Restart}
	if err := file.check(); err != nil {
		return err
	}
	return p.withShop(ctx, c.Data, func(s *Shop) error {
		bar := p.progress("import "+filepath.Base(c.File), "B")
		file.Progress = bar.set
		report, err := s.ImportProducts(ctx, file)
		bar.close()
		if err != nil {
			return err
		}
		if err := p.sayImported(c, report); err != nil {
			return err
		}
		if report.Refused > 0 {
			return ErrReported
		}
		return nil
	})
}

// sayImported prints a sentence on a terminal, otherwise a line of JSON.
func (p Program) sayImported(c ImportCommand, r ImportReport) error {
	report := ""
	if r.Refused+r.Warnings > 0 {
		report = c.File + errorsEnding
	}
	if file, ok := p.Stdout.(*os.File); !ok || !isTerminal(file) {
		return json.NewEncoder(p.Stdout).Encode(struct {
			Step   string `json:"step"`
			DryRun bool   `json:"dry_run"`
			ImportReport
			Errors string `json:"errors,omitempty"` // the file that tells them
		}{"done", c.DryRun, r, report})
	}
	verb := "imported"
	if c.DryRun {
		verb = "fine; nothing was changed"
	}
	text := fmt.Sprintf("%d products with %d variants %s.", r.Products, r.Variants, verb)
	if r.Refused > 0 {
		text += fmt.Sprintf(" %d rows refused.", r.Refused)
	}
	if r.Warnings > 0 {
		text += fmt.Sprintf(" %d warnings.", r.Warnings)
	}
	if report != "" {
		text += " See " + report
	}
	_, err := fmt.Fprintln(p.Stdout, strings.TrimSpace(text))
	return err
}
