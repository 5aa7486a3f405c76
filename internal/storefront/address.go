package storefront

import (
	"net/http"
	"strings"

	"shopd/internal/orders"
)

// addressFields are the names of the fields of an address form, which are those of the API.
var addressFields = []string{"name", "line1", "line2", "city", "region", "postal_code", "country", "phone"}

// readAddress reads an address form and checks what can be checked without asking anybody.
func readAddress(r *http.Request, more ...string) (*form, orders.Address) {
	f := readForm(r, append(more, addressFields...)...)
	f.require("name", "Enter the full name.")
	f.require("line1", "Enter the street and number.")
	f.require("city", "Enter the town or city.")
	f.require("postal_code", "Enter the postal code.")
	if countryName(f.Value("country")) == "" {
		f.wrong("country", "Choose a country.")
	}
	checkRegion(f)
	for field, n := range map[string]int{"name": 120, "line1": 160, "line2": 160, "city": 120, "postal_code": 20, "phone": 40} {
		f.limit(field, n)
	}
	return f, addressOf(f)
}

// checkRegion asks for a state or province where mail and taxes need one, and drops a left-over one elsewhere.
func checkRegion(f *form) {
	country, region, _ := strings.Cut(f.Value("region"), "-")
	states := regionsOf(f.Value("country"))
	switch {
	case states == nil:
		f.Values["region"] = ""
	case f.Value("region") == "":
		f.wrong("region", "Choose a state or province.")
	case country != f.Value("country") || states[region] == "":
		f.wrong("region", "Choose a state or province of the country above.")
	}
}

// addressOf is the address in a form. The region field holds "US-CA", the address "CA".
func addressOf(f *form) orders.Address {
	_, region, _ := strings.Cut(f.Value("region"), "-")
	return orders.Address{
		Name: f.Value("name"), Line1: f.Value("line1"), Line2: f.Value("line2"), City: f.Value("city"), Region: region,
		PostalCode: f.Value("postal_code"), Country: f.Value("country"), Phone: f.Value("phone"),
	}
}

// fill puts an address into a form.
func (f *form) fill(a orders.Address) {
	region := a.Region
	if region != "" {
		region = a.Country + "-" + a.Region
	}
	for name, value := range map[string]string{
		"name": a.Name, "line1": a.Line1, "line2": a.Line2, "city": a.City, "region": region,
		"postal_code": a.PostalCode, "country": a.Country, "phone": a.Phone,
	} {
		f.Values[name] = value
	}
}
