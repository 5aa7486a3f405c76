package catalog

import "shopd/internal/platform/errs"

// What callers decide by.
var (
	ErrSlugTaken  = errs.New(errs.Conflict, "slug_taken", "Another product has this slug.")
	ErrInvalid    = errs.New(errs.Invalid, "validation_failed", "The product is not acceptable.")
	errBadCursor  = errs.New(errs.Invalid, "invalid_parameter", "after is not a place in this list.").WithFields(errs.Field{Pointer: "query/after", Code: "invalid_parameter", Detail: "use next of the page before"})
	errBadSort    = errs.New(errs.Invalid, "invalid_parameter", "Products can be sorted by -created_at, price, -price, title and -popularity.").WithFields(errs.Field{Pointer: "query/sort", Code: "invalid_parameter", Detail: "unknown order"})
	errReindexing = errs.New(errs.Conflict, "reindex_running", "Another process builds the search index at this moment; one at a time does.")
	errNoCategory = errs.New(errs.NotFound, "not_found", "There is no such category.")
)
