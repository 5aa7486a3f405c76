package app

import (
	"encoding/json"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress shows how far long work is: a bar on a terminal, otherwise one line of JSON every so often.
type progress struct {
	program Program
	work    string
	unit    string
	bar     *progressbar.ProgressBar // nil without a terminal
	told    time.Time
	done    int
	total   int
}

// progressPause is between two lines of JSON.
const progressPause = 2 * time.Second

func (p Program) progress(work, unit string) *progress {
	return &progress{program: p, work: work, unit: unit}
}

// set says that done of total are done; a total of 0 is not known.
func (b *progress) set(done, total int) {
	b.done, b.total = done, total
	if file, ok := b.program.Stderr.(*os.File); ok && isTerminal(file) {
		if b.bar == nil {
			b.bar = progressbar.NewOptions(max(total, -1), progressbar.OptionSetWriter(file), progressbar.OptionSetDescription(b.work),
				progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString(b.unit), progressbar.OptionClearOnFinish())
		}
		b.bar.ChangeMax(max(total, done))
		_ = b.bar.Set(done) // a bar that cannot be drawn is no reason to stop
		return
	}
	if done == total || time.Since(b.told) >= progressPause {
		b.tell("progress")
	}
}

func (b *progress) tell(step string) {
	b.told = time.Now()
	_ = json.NewEncoder(b.program.Stderr).Encode(map[string]any{"work": b.work, "step": step, "done": b.done, "total": b.total}) // the same
}

func (b *progress) close() {
	if b.bar != nil {
		_ = b.bar.Finish() // the same
	}
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
