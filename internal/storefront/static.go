package storefront

import (
	"encoding/json"
	"net/http"

	"shopd/internal/platform/errs"
)

// static shows a page that has nothing but its text.
func (s *Storefront) static(name, title string) pageHandler {
	return func(w http.ResponseWriter, r *http.Request) error {
		h := head{Title: title, Canonical: "/" + name, Description: title + " – " + s.ShopName}
		return s.show(w, r, http.StatusOK, name, forAll, h, s.Orders.PaymentMethods())
	}
}

func (s *Storefront) credits(w http.ResponseWriter, r *http.Request) error {
	h := head{Title: "Credits", Canonical: "/credits", Description: "Who made the pictures, texts and letters of " + s.ShopName + "."}
	return s.show(w, r, http.StatusOK, "credits", forAll, h, s.Credits)
}

// gather puts credits of one title and licence together: a collection with each work beside its author.
func gather(credits []Credit) []Credit {
	type source struct{ title, license string }
	var order []source
	groups := map[source][]Credit{}
	for _, c := range credits {
		s := source{c.Title, c.License}
		if groups[s] == nil {
			order = append(order, s)
		}
		groups[s] = append(groups[s], c)
	}
	var out []Credit
	for _, s := range order {
		group := groups[s]
		if len(group) == 1 {
			out = append(out, group[0])
			continue
		}
		all := Credit{Title: s.title, License: s.license, URL: group[0].URL}
		for _, c := range group {
			for _, work := range c.Works {
				all.Works = append(all.Works, work+" by "+c.Author)
			}
		}
		out = append(out, all)
	}
	return out
}

// favicon answers the address that browsers ask for by themselves with the drawing of the shop's sign.
func (s *Storefront) favicon(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "public, max-age=86400")
	http.Redirect(w, r, s.assets.prefix+"/icon.svg", http.StatusFound)
}

// webManifest is what a telephone needs to put the shop on its home screen.
type webManifest struct {
	Name            string         `json:"name"`
	ShortName       string         `json:"short_name"`
	StartURL        string         `json:"start_url"`
	Display         string         `json:"display"`
	BackgroundColor string         `json:"background_color"`
	ThemeColor      string         `json:"theme_color"`
	Icons           []manifestIcon `json:"icons"`
}

type manifestIcon struct {
	Src     string `json:"src"`
	Sizes   string `json:"sizes"`
	Type    string `json:"type"`
	Purpose string `json:"purpose"`
}

func (s *Storefront) manifest(w http.ResponseWriter, r *http.Request) {
	body, err := json.Marshal(webManifest{
		Name: s.ShopName, ShortName: s.ShopName, StartURL: "/", Display: "minimal-ui", BackgroundColor: "#ffffff", ThemeColor: "#ffcf33",
		Icons: []manifestIcon{{Src: s.assets.prefix + "/icon.svg", Sizes: "any", Type: "image/svg+xml", Purpose: "any"}},
	})
	if err != nil {
		s.fail(w, r, errs.New(errs.Internal, "internal", "").Wrap(err))
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/manifest+json")
	h.Set("Cache-Control", "public, max-age=3600")
	if err := send(w, http.StatusOK, body); err != nil {
		s.fail(w, r, err)
	}
}
