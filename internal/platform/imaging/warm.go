package imaging

import (
	"context"
	"errors"
	"time"
)

// Warm makes the renditions of names in widths and format that are not in the cache yet, one after the other. It
// rests after each as long as the work took, so that it never uses more than half a core. It goes on after a picture
// that cannot be rendered and returns all errors at the end; when ctx ends it returns its error at once.
func (r *Renderer) Warm(ctx context.Context, names []string, widths []int, format Format) error {
	var failed []error
	for _, name := range names {
		for _, width := range widths {
			start := time.Now()
			if _, err := r.Rendition(ctx, name, width, format); err != nil && ctx.Err() == nil {
				failed = append(failed, err)
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Since(start)):
			}
		}
	}
	return errors.Join(failed...)
}
