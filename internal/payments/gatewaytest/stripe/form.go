package stripe

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"shopd/internal/payments/gatewaytest"
)

// form is the parameters of a request, of its query and of its body.
type form struct{ url.Values }

const maxForm = 1 << 20

func read(w http.ResponseWriter, r *http.Request) (form, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	err := r.ParseForm()
	return form{r.Form}, err
}

func (f form) get(name string) string { return f.Get(name) }

func (f form) number(name string) (int64, bool) {
	n, err := strconv.ParseInt(f.Get(name), 10, 64)
	return n, err == nil
}

// sub collects name[key]=value.
func (f form) sub(name string) map[string]string {
	found := map[string]string{}
	for k, v := range f.Values {
		if key, ok := strings.CutPrefix(k, name+"["); ok && strings.HasSuffix(key, "]") && len(v) > 0 {
			found[strings.TrimSuffix(key, "]")] = v[0]
		}
	}
	return found
}

// expands reports whether the answer is to hold the object itself in place of its id.
func (f form) expands(what string) bool {
	for k, v := range f.Values {
		if strings.HasPrefix(k, "expand[") && slices.ContainsFunc(v, func(e string) bool {
			e = strings.TrimPrefix(e, "data.")
			return e == what || strings.HasPrefix(e, what+".")
		}) {
			return true
		}
	}
	return false
}

// created reports whether a time lies within created[gte], created[gt], created[lte] and created[lt].
func (f form) created(at time.Time) bool {
	t := at.Unix()
	for name, outside := range map[string]func(limit int64) bool{
		"created[gte]": func(l int64) bool { return t < l }, "created[gt]": func(l int64) bool { return t <= l },
		"created[lte]": func(l int64) bool { return t > l }, "created[lt]": func(l int64) bool { return t >= l },
	} {
		if limit, ok := f.number(name); ok && outside(limit) {
			return false
		}
	}
	return true
}

var index = regexp.MustCompile(`\[\d+\]`)

// refuse answers a parameter that the endpoint does not know, as Stripe does; nil when all are known. A name in known
// that ends in [] stands for everything below it.
func (f form) refuse(known ...string) *gatewaytest.Reply {
	for name := range f.Values {
		plain := index.ReplaceAllString(name, "[]")
		if slices.ContainsFunc(known, func(k string) bool {
			return plain == k || strings.HasSuffix(k, "[]") && strings.HasPrefix(plain, strings.TrimSuffix(k, "]"))
		}) || plain == "expand[]" {
			continue
		}
		reply := failure(http.StatusBadRequest, "invalid_request_error", "parameter_unknown", "Received unknown parameter: "+name, name)
		return &reply
	}
	return nil
}

// fingerprint is what makes two requests the same.
func (f form) fingerprint(r *http.Request) string {
	return r.Method + " " + r.URL.Path + "?" + f.Encode()
}
