package mail

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"html/template"
	"net/http"
)

// mostListed is how many letters the list shows.
const mostListed = 200

//go:embed pages/*.html
var pageFiles embed.FS

var pages = template.Must(template.ParseFS(pageFiles, "pages/*.html"))

// contentPolicy lets a mail show pictures and its own styles, and nothing else: what a mail contains is not trusted.
const contentPolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src * data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Handler shows the folder to the owner of a demo, below prefix ("/dev/mail"): a list, each letter, its source, and
// messages.json for programs.
func (f *Folder) Handler(prefix string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+prefix, func(w http.ResponseWriter, r *http.Request) { f.showList(w, r, prefix) })
	mux.HandleFunc("GET "+prefix+"/{$}", func(w http.ResponseWriter, r *http.Request) { f.showList(w, r, prefix) })
	mux.HandleFunc("GET "+prefix+"/messages.json", f.showJSON)
	mux.HandleFunc("GET "+prefix+"/{id}", func(w http.ResponseWriter, r *http.Request) { f.showLetter(w, r, prefix) })
	mux.HandleFunc("GET "+prefix+"/{id}/source", f.showSource)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Robots-Tag", "noindex")
		mux.ServeHTTP(w, r)
	})
}

func (f *Folder) showList(w http.ResponseWriter, _ *http.Request, prefix string) {
	letters, err := f.List(mostListed)
	if err != nil {
		refuse(w, err)
		return
	}
	render(w, "list.html", map[string]any{"Prefix": prefix, "Letters": letters})
}

func (f *Folder) showJSON(w http.ResponseWriter, _ *http.Request) {
	letters, err := f.List(mostListed)
	if err != nil {
		refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"items": letters}) // the reader has gone away
}

func (f *Folder) showLetter(w http.ResponseWriter, r *http.Request, prefix string) {
	letter, err := f.Get(r.PathValue("id"))
	if err != nil {
		refuse(w, err)
		return
	}
	// Links open in a tab of their own: the frame that shows the letter may not be left.
	framed := ""
	if letter.HTML != "" {
		framed = `<base target="_blank">` + letter.HTML
	}
	render(w, "letter.html", map[string]any{"Prefix": prefix, "Letter": letter, "Framed": framed})
}

func (f *Folder) showSource(w http.ResponseWriter, r *http.Request) {
	letter, err := f.Get(r.PathValue("id"))
	if err != nil {
		refuse(w, err)
		return
	}
	var source bytes.Buffer
	msg, err := letter.compose(letter.From, letter.At)
	if err == nil {
		_, err = msg.WriteTo(&source)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", "message/rfc822")
	w.Header().Set("Content-Disposition", `attachment; filename="`+letter.ID+`.eml"`)
	_, _ = source.WriteTo(w) // whoever does not read on is gone
}

func render(w http.ResponseWriter, name string, data any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := pages.ExecuteTemplate(w, name, data); err != nil {
		http.Error(w, "This page cannot be shown.", http.StatusInternalServerError)
	}
}

func refuse(w http.ResponseWriter, err error) {
	if errors.Is(err, errNoLetter) {
		http.Error(w, "There is no such mail.", http.StatusNotFound)
		return
	}
	http.Error(w, "The mails cannot be read.", http.StatusInternalServerError)
}
