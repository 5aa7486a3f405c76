package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shopd/internal/catalog"
	"shopd/internal/money"
	"shopd/internal/pricing"
)

// importFile writes lines into a new file that can be imported.
func importFile(t *testing.T, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "products.jsonl")
	require.NoError(t, os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
	return path
}

// importErrors reads what was reported beside an import file.
func importErrors(t *testing.T, path string) []importError {
	t.Helper()
	body, err := os.ReadFile(path + errorsEnding)
	require.NoError(t, err)
	var list []importError
	for line := range bytes.Lines(body) {
		var e importError
		require.NoError(t, json.Unmarshal(line, &e))
		list = append(list, e)
	}
	return list
}

func writePicture(t *testing.T, path string) {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 20, 10))
	for i := range 200 {
		img.Set(i%20, i/20, color.RGBA{R: 200, A: 255})
	}
	var buf bytes.Buffer
	require.NoError(t, png.Encode(&buf, img))
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, buf.Bytes(), 0o600))
}

const (
	lamp  = `{"sku":"LAMP","title":"Lamp","description":"Bright.","brand":"Lumen","category":"Home > Light","price":{"amount":4500,"currency":"USD"},"compare_at_price":{"amount":5000,"currency":"USD"},"cost":{"amount":2000,"currency":"USD"},"quantity":7,"gtins":["4006381333931"],"attributes":{"Colour":"Red","Rooms":["Hall","Attic"],"Watts":12,"Dimmable":true},"images":["pictures/lamp.png"],"status":"active"}`
	shirt = `{"sku":"SHIRT-M","title":"Shirt","description":"","brand":"","category":"Men > Tops","price":{"amount":2000,"currency":"USD"},"variants":[{"sku":"SHIRT-S","options":{"Size":"S"},"quantity":3},{"sku":"SHIRT-M","options":{"Size":"M"},"price":{"amount":2200,"currency":"USD"},"quantity":0}],"options":[{"name":"Size","values":["S","M"]}]}`
)

func TestImportedProductsAreSold(t *testing.T) {
	t.Parallel()
	b := openTrial(t)
	path := importFile(t, "\ufeff"+lamp, "", shirt+"\r")
	writePicture(t, filepath.Join(filepath.Dir(path), "pictures/lamp.png"))
	report, err := b.ImportProducts(t.Context(), ImportFile{Path: path})
	require.NoError(t, err)
	require.Equal(t, ImportReport{Rows: 2, Products: 2, Variants: 3}, report)
	require.NoFileExists(t, path+errorsEnding)
	require.NoFileExists(t, path+stateEnding)
	require.NoError(t, b.AwaitProjections(t.Context()))

	p, err := b.Catalog.Product(t.Context(), "lamp")
	require.NoError(t, err)
	require.Equal(t, money.New(4500, usd), p.Price)
	require.Equal(t, money.New(5000, usd), *p.CompareAt)
	require.Equal(t, "Light", p.Category.Name)
	require.Equal(t, map[string][]string{"Colour": {"Red"}, "Rooms": {"Hall", "Attic"}, "Watts": {"12"}, "Dimmable": {"true"}}, p.Attributes)
	require.Len(t, p.Variants, 1)
	require.Equal(t, "LAMP", p.Variants[0].SKU)
	require.Len(t, p.Images, 1)
	img := p.Images[0]
	require.Equal(t, catalog.Image{URL: img.URL, Alt: "Lamp", Width: 20, Height: 10, Colour: "#c80000"}, img)
	require.Regexp(t, `^/media/[0-9a-f]{32}\.png$`, img.URL)
	require.FileExists(t, filepath.Join(b.dir, "media", filepath.Base(img.URL)))
	levels, err := b.Inventory.Levels(t.Context(), []string{"LAMP"})
	require.NoError(t, err)
	require.EqualValues(t, 7, levels[0].OnHand)

	p, err = b.Catalog.Product(t.Context(), "shirt")
	require.NoError(t, err)
	require.Equal(t, "SHIRT-M", p.SKU, "the variant with the product's SKU is the default")
	require.Equal(t, "SHIRT-M", p.Variants[0].SKU)
	require.Equal(t, money.New(2000, usd), p.Price)
	require.Equal(t, money.New(2200, usd), p.PriceMax)
	require.False(t, p.Variants[0].Availability.InStock)

	history, err := b.Pricing.History(t.Context(), string(p.Variants[0].ID), usd, 5)
	require.NoError(t, err)
	require.Equal(t, pricing.Import, history[0].Source)
	require.Equal(t, "import products.jsonl", history[0].Reason)

	// The same again changes nothing.
	events := b.number(t, "select count(*) from platform.outbox")
	_, err = b.ImportProducts(t.Context(), ImportFile{Path: path})
	require.NoError(t, err)
	require.Equal(t, events, b.number(t, "select count(*) from platform.outbox"))
}

func TestBadRowsAreReportedAndLeftOut(t *testing.T) {
	t.Parallel()
	b := openTrial(t)
	row := func(fields string) string {
		return `{"sku":"X","title":"X","price":{"amount":100,"currency":"USD"},` + fields + `}`
	}
	cases := []struct{ name, line, pointer, code string }{
		{"not JSON", `{"sku":`, "", "malformed_row"},
		{"two objects", lamp + ` {}`, "", "malformed_row"},
		{"a list", `[]`, "/", "validation_failed"},
		{"unknown field", row(`"colour":"red"`), "", "unknown_field"},
		{"unknown field in a variant", row(`"variants":[{"sku":"X","weight":3}]`), "", "unknown_field"},
		{"number for a text", `{"sku":12}`, "/sku", "validation_failed"},
		{"decimals in money", `{"sku":"X","title":"X","price":{"amount":19.99,"currency":"USD"}}`, "/price/amount", "validation_failed"},
		{"no SKU", `{"title":"X","price":{"amount":100,"currency":"USD"}}`, "/sku", "validation_failed"},
		{"no SKU beside variants", `{"title":"X","price":{"amount":100,"currency":"USD"},"variants":[{"sku":"X"}]}`, "/sku", "required"},
		{"no title", `{"sku":"X","price":{"amount":100,"currency":"USD"}}`, "/title", "validation_failed"},
		{"no price", `{"sku":"X","title":"X"}`, "/price", "required"},
		{"no amount", `{"sku":"X","title":"X","price":{"currency":"USD"}}`, "/price", "invalid_money"},
		{"negative price", `{"sku":"X","title":"X","price":{"amount":-1,"currency":"USD"}}`, "/price", "invalid_money"},
		{"unknown currency", `{"sku":"X","title":"X","price":{"amount":1,"currency":"XXX"}}`, "/price", "invalid_money"},
		{"compared with less", row(`"compare_at_price":{"amount":90,"currency":"USD"}`), "/compare_at_price", "invalid_money"},
		{"compared in another currency", row(`"compare_at_price":{"amount":900,"currency":"EUR"}`), "/compare_at_price", "invalid_money"},
		{"negative cost", row(`"cost":{"amount":-5,"currency":"USD"}`), "/cost", "invalid_money"},
		{"negative quantity", row(`"quantity":-1`), "/quantity", "invalid_quantity"},
		{"unknown status", row(`"status":"sold"`), "/status", "validation_failed"},
		{"empty category", row(`"category":"A > > B"`), "/category", "validation_failed"},
		{"attribute that is an object", row(`"attributes":{"Size":{"a":1}}`), "/attributes", "validation_failed"},
		{"one SKU twice", row(`"variants":[{"sku":"X"},{"sku":"X"}]`), "/variants/1/sku", "validation_failed"},
		{"choice that is not offered", row(`"options":[{"name":"Size","values":["S"]}],"variants":[{"sku":"X","options":{"Size":"M"}}]`), "/variants/0/options", "validation_failed"},
		{"no such picture", row(`"images":["none.jpg"]`), "/images/0", "picture_not_found"},
		{"picture elsewhere", row(`"images":["../../secret.png"]`), "/images/0", "picture_not_readable"},
		{"picture by its whole path", row(`"images":["/etc/hostname"]`), "/images/0", "picture_not_readable"},
		{"picture that is none", row(`"images":["products.jsonl"]`), "/images/0", "unsupported_picture"},
		{"character that cannot be stored", row(`"brand":"a\u0000b"`), "", "not_storable"},
		{"too long", row(`"description":"` + strings.Repeat("long ", maxRow/5) + `"`), "", "row_too_long"},
	}
	good := func(n int) string {
		return fmt.Sprintf(`{"sku":"GOOD-%d","title":"Good %d","price":{"amount":100,"currency":"USD"},"quantity":1}`, n, n)
	}
	lines := []string{good(1)}
	for i, c := range cases {
		lines = append(lines, strings.ReplaceAll(c.line, `"X"`, fmt.Sprintf(`"X%d"`, i)))
	}
	path := importFile(t, append(lines, good(2))...)
	report, err := b.ImportProducts(t.Context(), ImportFile{Path: path})
	require.NoError(t, err)
	require.Equal(t, ImportReport{Rows: int64(len(cases) + 2), Products: 2, Variants: 2, Refused: int64(len(cases))}, report)
	require.EqualValues(t, 2, b.number(t, "select count(*) from catalog.products"))
	require.EqualValues(t, 2, b.number(t, "select count(*) from pricing.prices"))
	require.EqualValues(t, 2, b.number(t, "select count(*) from inventory.stock"))

	byLine := map[int64][]importError{}
	for _, e := range importErrors(t, path) {
		byLine[e.Line] = append(byLine[e.Line], e)
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			found := byLine[int64(i+2)]
			require.Len(t, found, 1)
			require.Equal(t, c.pointer, found[0].Pointer)
			require.Equal(t, c.code, found[0].Code, found[0].Detail)
			require.Equal(t, "error", found[0].Severity)
			require.NotEmpty(t, found[0].Detail)
		})
	}
}

func TestPicturesOnTheNetAreLeftOutWithAWarning(t *testing.T) {
	t.Parallel()
	b := openTrial(t)
	path := importFile(t, strings.Replace(lamp, "pictures/lamp.png", "http://127.0.0.1:16201/lamp.png", 1))
	report, err := b.ImportProducts(t.Context(), ImportFile{Path: path})
	require.NoError(t, err)
	require.Equal(t, ImportReport{Rows: 1, Products: 1, Variants: 1, Warnings: 1}, report)
	found := importErrors(t, path)
	require.Len(t, found, 1)
	require.Equal(t, "picture_not_downloaded", found[0].Code)
	require.Equal(t, "warning", found[0].Severity)
	require.Equal(t, "/images/0", found[0].Pointer)
}

func TestADryRunWritesNothingButTheReport(t *testing.T) {
	t.Parallel()
	b := openTrial(t)
	path := importFile(t, lamp, `{"sku":"X"}`)
	writePicture(t, filepath.Join(filepath.Dir(path), "pictures/lamp.png"))
	report, err := b.ImportProducts(t.Context(), ImportFile{Path: path, DryRun: true})
	require.NoError(t, err)
	require.Equal(t, ImportReport{Rows: 2, Products: 1, Variants: 1, Refused: 1}, report)
	require.Zero(t, b.number(t, "select count(*) from catalog.products"))
	require.NoDirExists(t, filepath.Join(b.dir, "media"))
	require.NoFileExists(t, path+stateEnding)
	require.NotEmpty(t, importErrors(t, path))
}

// manyLines are n products of which every tenth is bad.
func manyLines(n int) []string {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = fmt.Sprintf(`{"sku":"P-%04d","title":"Product %04d","price":{"amount":%d,"currency":"USD"},"quantity":%d}`, i, i, 100+i, i)
		if i%10 == 9 {
			lines[i] = strings.Replace(lines[i], `"title"`, `"name"`, 1)
		}
	}
	return lines
}

func TestAnImportGoesOnWhereItWasCutOff(t *testing.T) {
	t.Parallel()
	b := openTrial(t)
	path := importFile(t, manyLines(700)...)
	var steps []int
	ctx, kill := context.WithCancel(t.Context())
	_, err := b.ImportProducts(ctx, ImportFile{Path: path, Progress: func(done, _ int) {
		if steps = append(steps, done); len(steps) == 2 {
			kill()
		}
	}})
	require.ErrorIs(t, err, context.Canceled)
	require.FileExists(t, path+stateEnding)
	imported := b.number(t, "select count(*) from catalog.products")
	require.Positive(t, imported)
	require.Less(t, imported, int64(630))

	// What is done is not done again: it would bring back the title that the merchant has changed meanwhile.
	_, err = b.admin.Exec(t.Context(), "update catalog.products set title = 'Changed' where sku = 'P-0000'")
	require.NoError(t, err)
	first := -1
	report, err := b.ImportProducts(t.Context(), ImportFile{Path: path, Progress: func(done, total int) {
		if first < 0 {
			first = done
		}
		require.LessOrEqual(t, done, total)
	}})
	require.NoError(t, err)
	require.Greater(t, first, steps[1])
	require.Equal(t, ImportReport{Rows: 700, Products: 630, Variants: 630, Refused: 70}, report)
	require.EqualValues(t, 630, b.number(t, "select count(*) from catalog.products"))
	require.EqualValues(t, 1, b.number(t, "select count(*) from catalog.products where title = 'Changed'"))
	var lines []int64
	for _, e := range importErrors(t, path) {
		lines = append(lines, e.Line)
	}
	require.Len(t, lines, 70, "each bad row is reported once")
	for i, line := range lines {
		require.EqualValues(t, 10*(i+1), line)
	}
	require.NoFileExists(t, path+stateEnding)
}

func TestAnImportBeginsAnewWhenItShould(t *testing.T) {
	t.Parallel()
	b := openTrial(t)
	for name, change := range map[string]func(t *testing.T, f *ImportFile){
		"it is told to": func(_ *testing.T, f *ImportFile) { f.Restart = true },
		"the file is another": func(t *testing.T, f *ImportFile) {
			t.Helper()
			later := time.Now().Add(time.Minute)
			require.NoError(t, os.Chtimes(f.Path, later, later))
		},
		"the state cannot be read": func(t *testing.T, f *ImportFile) {
			t.Helper()
			require.NoError(t, os.WriteFile(f.Path+stateEnding, []byte("{"), 0o600))
		},
		"the state is of another shop": func(t *testing.T, f *ImportFile) {
			t.Helper()
			body, err := os.ReadFile(f.Path + stateEnding)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(f.Path+stateEnding, bytes.Replace(body, []byte(`"shop":"`), []byte(`"shop":"other `), 1), 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := ImportFile{Path: importFile(t, manyLines(400)...)}
			ctx, kill := context.WithCancel(t.Context())
			f.Progress = func(int, int) { kill() }
			_, err := b.ImportProducts(ctx, f)
			require.ErrorIs(t, err, context.Canceled)
			_, err = b.admin.Exec(t.Context(), "update catalog.products set title = 'Changed' where sku = 'P-0000'")
			require.NoError(t, err)
			change(t, &f)
			f.Progress = nil
			report, err := b.ImportProducts(t.Context(), f)
			require.NoError(t, err)
			require.EqualValues(t, 400, report.Rows)
			require.Zero(t, b.number(t, "select count(*) from catalog.products where title = 'Changed'"))
		})
	}
}

func TestALaterRowOfTheSameProductWins(t *testing.T) {
	t.Parallel()
	b := openTrial(t)
	path := importFile(t, lamp, strings.Replace(lamp, `"amount":4500`, `"amount":4400`, 1))
	writePicture(t, filepath.Join(filepath.Dir(path), "pictures/lamp.png"))
	report, err := b.ImportProducts(t.Context(), ImportFile{Path: path})
	require.NoError(t, err)
	require.Zero(t, report.Refused)
	require.EqualValues(t, 1, b.number(t, "select count(*) from catalog.products"))
	require.EqualValues(t, 4400, b.number(t, "select amount from pricing.prices where sku = 'LAMP' and valid_to is null"))
}

func TestFilesThatAreNotForImport(t *testing.T) {
	t.Parallel()
	b := openTrial(t)
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "folder.jsonl"), 0o755))
	for name, complaint := range map[string]string{
		"products.csv": "CSV cannot be imported yet", "products.xlsx": "give a .jsonl file", "none.jsonl": "no such file", "folder.jsonl": "is not a file",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := b.ImportProducts(t.Context(), ImportFile{Path: filepath.Join(dir, name)})
			require.ErrorContains(t, err, complaint)
		})
	}
}
