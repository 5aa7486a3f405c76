package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"shopd/internal/sample"
)

// sources are the works the catalogue is made from.
var sources = []sample.Source{
	{
		Name:        "Magento 2 sample data (“Luma”)",
		What:        "199 products, 500 reviews and 723 photographs of sports wear and gear",
		URL:         "https://github.com/magento/magento2-sample-data",
		Copyright:   "Copyright © Magento, Inc. (now Adobe). All rights reserved.",
		License:     "Licensed under the Academic Free License version 3.0",
		LicenseURL:  "https://opensource.org/license/afl-3-0-php",
		LicenseFile: "AFL-3.0.txt",
		Changes: "Modified for shopd: converted to another format; descriptions laid out anew; the bundle, the set and the downloads made plain products; " +
			"comparison prices, stock, costs, sizes of pictures and dates of reviews added; photographs scaled down to 800 pixels.",
	},
	{
		Name:        "Vendure mock data",
		What:        "the texts of 54 products: electronics, home and garden, sports and outdoor",
		URL:         "https://github.com/vendure-ecommerce/vendure",
		Copyright:   "Copyright (c) 2018 Michael Bromley",
		License:     "The MIT License, under which it was published until 2020",
		LicenseURL:  "https://opensource.org/license/mit",
		LicenseFile: "vendure-MIT.txt",
		Changes:     "Converted to another format; options renamed; stock, costs and related products added.",
	},
	{
		Name:        "Unsplash",
		What:        "54 photographs, credited one by one below",
		URL:         "https://unsplash.com",
		Copyright:   "The photographers named",
		License:     "Unsplash License",
		LicenseURL:  "https://unsplash.com/license",
		LicenseFile: "Unsplash.txt",
		Changes:     "Scaled down to 800 pixels.",
	},
}

var creditsPage = template.Must(template.New("credits").Parse(`# Credits of the sample shop

This file is made by ` + "`gen`" + `, with ` + "`credits.json`" + ` for programs. The shop "Luma" is fictional. The brands named in the other products
belong to their owners, who have nothing to do with shopd. The licences are in ` + "`licenses/`" + `.
{{range .Sources}}
## {{.Name}}

{{.What}}

- Source: {{.URL}}
- {{.Copyright}}
- {{.License}} ([text](licenses/{{.LicenseFile}}), {{.LicenseURL}})
- Attribution Notice: {{.Changes}}
{{end}}
## Photographers

Names and numbers are those of the file names at Unsplash.

| picture | photographer | number |
|---|---|---|
{{range .Pictures}}| {{.File}} | {{.Author}} | {{.ID}} |
{{end}}`))

func writeCredits(out string, pictures []sample.Picture) error {
	all := sample.CreditList{Sources: sources, Pictures: pictures}
	var asJSON, asText bytes.Buffer
	enc := json.NewEncoder(&asJSON)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := errors.Join(enc.Encode(all), creditsPage.Execute(&asText, all)); err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(out, "credits.json"), asJSON.Bytes(), 0o644),
		os.WriteFile(filepath.Join(out, "CREDITS.md"), []byte(strings.TrimSpace(asText.String())+"\n"), 0o644),
	)
}
