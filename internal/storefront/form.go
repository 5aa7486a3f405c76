package storefront

import (
	"cmp"
	"net/http"
	"net/mail"
	"slices"
	"strings"

	"shopd/internal/platform/errs"
)

// form is what a shopper typed and what is wrong with it.
type form struct {
	Values map[string]string
	Errors []formError
	fields []string // in the order they stand on the page
}

// formError belongs to a field; a Field that is empty makes it one of the whole form.
type formError struct{ Field, Detail string }

func newForm() *form { return &form{Values: map[string]string{}} }

// readForm takes over the named fields as typed, without blanks around them.
func readForm(r *http.Request, fields ...string) *form {
	f := newForm()
	f.fields = fields
	for _, name := range fields {
		f.Values[name] = truncate(strings.TrimSpace(r.PostForm.Get(name)), 400)
	}
	return f
}

// Value is what stands in a field.
func (f *form) Value(field string) string { return f.Values[field] }

// Error is what is wrong with a field, empty when nothing is.
func (f *form) Error(field string) string {
	for _, e := range f.Errors {
		if e.Field == field {
			return e.Detail
		}
	}
	return ""
}

// Summary lists what is wrong in the order of the page, what is about no single field first.
func (f *form) Summary() []formError {
	list := slices.Clone(f.Errors)
	slices.SortStableFunc(list, func(a, b formError) int {
		return cmp.Compare(slices.Index(f.fields, a.Field), slices.Index(f.fields, b.Field))
	})
	return list
}

func (f *form) ok() bool { return len(f.Errors) == 0 }

func (f *form) wrong(field, detail string) {
	if f.Error(field) == "" || field == "" {
		f.Errors = append(f.Errors, formError{Field: field, Detail: detail})
	}
}

func (f *form) require(field, detail string) {
	if f.Values[field] == "" {
		f.wrong(field, detail)
	}
}

func (f *form) limit(field string, n int) {
	if len([]rune(f.Values[field])) > n {
		f.wrong(field, "This is too long.")
	}
}

// checkEmail checks the shape of the field email; whether the address exists is found out by writing to it.
func (f *form) checkEmail() {
	a, err := mail.ParseAddress(f.Values["email"])
	if err != nil || a.Address != f.Values["email"] || !strings.Contains(a.Address[strings.LastIndexByte(a.Address, '@')+1:], ".") {
		f.wrong("email", "Enter an e-mail address such as name@example.com.")
	}
}

// take puts what a domain found wrong beside the fields it means. fields maps the last part of a JSON pointer to a
// field of the form. It answers false for an error that is not about the input.
func (f *form) take(err error, fields map[string]string) bool {
	e := errs.As(err)
	if e == nil || e.Kind != errs.Invalid && e.Kind != errs.Conflict && e.Kind != errs.Malformed {
		return false
	}
	for _, field := range e.Fields {
		last := field.Pointer[strings.LastIndexByte(field.Pointer, '/')+1:]
		name := last
		if mapped, ok := fields[last]; ok {
			name = mapped
		}
		if _, known := f.Values[name]; !known {
			name = ""
		}
		f.wrong(name, field.Detail)
	}
	if len(e.Fields) == 0 {
		f.wrong(fields[e.Code], e.Detail)
	}
	return true
}
