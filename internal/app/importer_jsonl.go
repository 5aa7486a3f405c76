package app

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"shopd/internal/catalog"
	"shopd/internal/inventory"
	"shopd/internal/money"
)

// maxRow is the longest line of an import file, in bytes.
const maxRow = 8 << 20

// jsonlReader reads products from a file of the contract's format, one JSON object a line. It keeps one line in
// memory.
type jsonlReader struct {
	in       *bufio.Reader
	line     int64
	offset   int64 // after the last line read
	pictures *pictureImporter
}

// next returns the next product, a *RowError for a line that is none, and io.EOF at the end. Empty lines are passed
// over.
func (r *jsonlReader) next() (ImportRow, error) {
	for {
		text, err := r.read()
		if errors.Is(err, errRowTooLong) {
			return ImportRow{}, r.bad("", RowProblem{"", "row_too_long", fmt.Sprintf("A line may have %d MB.", maxRow>>20)})
		}
		if err != nil {
			return ImportRow{}, err
		}
		if r.line == 1 {
			text = bytes.TrimPrefix(text, []byte("\ufeff"))
		}
		if len(bytes.TrimSpace(text)) > 0 {
			return r.row(text)
		}
	}
}

var errRowTooLong = errors.New("the line is too long")

// read returns the next line without its end, and io.EOF when there is none. Of a line that is too long it keeps
// nothing.
func (r *jsonlReader) read() ([]byte, error) {
	var text []byte
	tooLong := false
	for {
		part, err := r.in.ReadSlice('\n')
		r.offset += int64(len(part))
		if tooLong = tooLong || len(text)+len(part) > maxRow; !tooLong {
			text = append(text, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(text) == 0 && !tooLong:
			return nil, io.EOF
		case err != nil && !errors.Is(err, io.EOF):
			return nil, fmt.Errorf("read line %d: %w", r.line+1, err)
		}
		r.line++
		if tooLong {
			return nil, errRowTooLong
		}
		return bytes.TrimRight(text, "\r\n"), nil
	}
}

func (r *jsonlReader) bad(sku string, problems ...RowProblem) *RowError {
	return &RowError{Line: r.line, End: r.offset, SKU: sku, Problems: problems}
}

func (r *jsonlReader) row(text []byte) (ImportRow, error) {
	p, problem := decodeProduct(text)
	if problem != nil {
		return ImportRow{}, r.bad(p.SKU, *problem)
	}
	simple := len(p.Variants) == 0
	row, problems := p.row()
	row.Line, row.End = r.line, r.offset
	refused, err := r.addPictures(&row, p)
	if err != nil {
		return ImportRow{}, err
	}
	problems = append(problems, refused...)
	if bad := row.check(); bad != nil {
		problems = append(problems, bad.Problems...)
	}
	if simple {
		// The only variant has the product's SKU, which is spoken of already.
		problems = slices.DeleteFunc(problems, func(p RowProblem) bool { return p.Pointer == "/variants/0/sku" })
	}
	if len(problems) > 0 {
		return ImportRow{}, r.bad(p.SKU, problems...)
	}
	return row, nil
}

// addPictures brings the product's pictures into the shop, and those of its variants. Its error is one of the shop.
func (r *jsonlReader) addPictures(row *ImportRow, p jsonlProduct) (problems []RowProblem, err error) {
	urls := map[string]string{} // source → URL in the shop
	take := func(pointer, source string) error {
		if source == "" || urls[source] != "" {
			return nil
		}
		image, err := r.pictures.take(source, p.Title)
		var problem *pictureError
		if errors.As(err, &problem) {
			problem.Pointer = pointer
			if problem.optional {
				row.Warnings = append(row.Warnings, problem.RowProblem)
			} else {
				problems = append(problems, problem.RowProblem)
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("picture %s of line %d: %w", source, r.line, err)
		}
		urls[source] = image.URL
		if !slices.ContainsFunc(row.Product.Images, func(have catalog.Image) bool { return have.URL == image.URL }) {
			row.Product.Images = append(row.Product.Images, image)
		}
		return nil
	}
	for i, source := range p.Images {
		if err := take("/images/"+strconv.Itoa(i), source); err != nil {
			return nil, err
		}
	}
	for i, v := range p.Variants {
		if err := take(fmt.Sprintf("/variants/%d/image", i), v.Image); err != nil {
			return nil, err
		}
		row.Product.Variants[i].Image = urls[v.Image]
	}
	return problems, nil
}

// jsonlProduct is a line of the file. The fields that the contract does not name are additions to it.
type jsonlProduct struct {
	SKU            string                 `json:"sku"`
	Slug           string                 `json:"slug"`
	Title          string                 `json:"title"`
	Description    string                 `json:"description"`
	Brand          string                 `json:"brand"`
	Category       string                 `json:"category"` // "Women > Tops"
	Collections    []string               `json:"collections"`
	Price          *jsonlMoney            `json:"price"` // of variants that have none of their own
	CompareAtPrice *jsonlMoney            `json:"compare_at_price"`
	Cost           *jsonlMoney            `json:"cost"`     // checked; the shop does not keep it yet
	Quantity       *int64                 `json:"quantity"` // of a product without variants
	GTINs          []string               `json:"gtins"`    // of the default variant
	Attributes     map[string]jsonlValues `json:"attributes"`
	Images         []string               `json:"images"`
	Options        []catalog.Option       `json:"options"`
	Variants       []jsonlVariant         `json:"variants"`
	Related        []string               `json:"related"`
	Status         string                 `json:"status"`
}

type jsonlVariant struct {
	SKU            string            `json:"sku"`
	Options        map[string]string `json:"options"`
	Price          *jsonlMoney       `json:"price"`
	CompareAtPrice *jsonlMoney       `json:"compare_at_price"`
	Cost           *jsonlMoney       `json:"cost"`
	Quantity       *int64            `json:"quantity"`
	GTINs          []string          `json:"gtins"`
	Image          string            `json:"image"`
}

// jsonlMoney tells an amount of nothing from one that is not there.
type jsonlMoney struct {
	Amount   *int64          `json:"amount"`
	Currency *money.Currency `json:"currency"`
}

// jsonlValues is one value, or a list of them. Numbers and truth values are taken as they are written.
type jsonlValues []string

// UnmarshalJSON implements json.Unmarshaler.
func (v *jsonlValues) UnmarshalJSON(text []byte) error {
	if len(text) == 0 || text[0] != '[' {
		text = slices.Concat([]byte("["), text, []byte("]"))
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return err
	}
	*v = make(jsonlValues, len(raw))
	for i, value := range raw {
		switch value[0] {
		case '"':
			if err := json.Unmarshal(value, &(*v)[i]); err != nil {
				return err
			}
		case '{', '[', 'n':
			return errNotAText
		default:
			(*v)[i] = string(value)
		}
	}
	return nil
}

var errNotAText = errors.New("an attribute is a text or a list of texts")

// decodeProduct reads one line, strictly: what the format does not know is refused.
func decodeProduct(text []byte) (p jsonlProduct, problem *RowProblem) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&p)
	var syntax *json.SyntaxError
	var wrongType *json.UnmarshalTypeError
	switch {
	case err == nil:
		if decoder.More() {
			return p, &RowProblem{"", "malformed_row", "There is something after the object."}
		}
		return p, nil
	case errors.As(err, &wrongType):
		detail := fmt.Sprintf("A %s is not accepted here; %s is.", wrongType.Value, wrongType.Type)
		return p, &RowProblem{"/" + strings.ReplaceAll(wrongType.Field, ".", "/"), "validation_failed", detail}
	case errors.As(err, &syntax), errors.Is(err, io.ErrUnexpectedEOF):
		return p, &RowProblem{"", "malformed_row", "This is not a JSON object: " + err.Error()}
	case errors.Is(err, errNotAText):
		return p, &RowProblem{"/attributes", "validation_failed", err.Error()}
	}
	if name, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); unknown {
		return p, &RowProblem{"", "unknown_field", "There is no field " + name + "."}
	}
	return p, &RowProblem{"", "malformed_row", err.Error()}
}

// row makes the import's row of p, without pictures, and says what is wrong with it that only this format can tell.
func (p *jsonlProduct) row() (ImportRow, []RowProblem) {
	if len(p.Variants) == 0 {
		p.Variants = []jsonlVariant{{SKU: p.SKU, Quantity: p.Quantity}}
	}
	p.sortDefaultFirst()
	var problems []RowProblem
	row := ImportRow{Product: catalog.Input{
		SKU: p.Variants[0].SKU, Slug: p.Slug, Title: p.Title, Description: p.Description, Brand: p.Brand, Category: categoryPath(p.Category),
		Collections: p.Collections, Related: p.Related, Status: catalog.Status(p.Status), Options: p.options(),
	}}
	if p.SKU == "" && p.Variants[0].SKU != "" {
		problems = append(problems, RowProblem{"/sku", "required", "A product needs a SKU, which may be that of its default variant."})
	}
	if len(p.Attributes) > 0 {
		row.Product.Attributes = make(map[string][]string, len(p.Attributes))
		for name, values := range p.Attributes {
			row.Product.Attributes[name] = values
		}
	}
	for i, v := range p.Variants {
		at := fmt.Sprintf("/variants/%d", i)
		if i == 0 && len(v.GTINs) == 0 {
			v.GTINs = p.GTINs
		}
		row.Product.Variants = append(row.Product.Variants, catalog.VariantInput{SKU: v.SKU, Options: v.Options, GTINs: v.GTINs})
		price, wrong := p.price(v, at)
		if len(wrong) == 0 {
			row.Prices = append(row.Prices, price)
		}
		problems = append(problems, slices.Concat(wrong, p.checkOptions(v, at))...)
		if v.Quantity != nil {
			row.Stock = append(row.Stock, inventory.Item{SKU: v.SKU, Quantity: *v.Quantity})
		}
	}
	if problem := p.Cost.check("/cost"); problem != nil {
		problems = append(problems, *problem)
	}
	return row, problems
}

// sortDefaultFirst puts the variant that has the product's SKU before the others.
func (p *jsonlProduct) sortDefaultFirst() {
	i := slices.IndexFunc(p.Variants, func(v jsonlVariant) bool { return v.SKU == p.SKU })
	if i > 0 {
		p.Variants = slices.Concat(p.Variants[i:i+1], p.Variants[:i], p.Variants[i+1:])
	}
}

func categoryPath(text string) []string {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	path := strings.Split(text, ">")
	for i := range path {
		path[i] = strings.TrimSpace(path[i])
	}
	return path
}

// options are those that the row names, or those that its variants have.
func (p *jsonlProduct) options() []catalog.Option {
	if len(p.Options) > 0 {
		return p.Options
	}
	var options []catalog.Option
	for _, v := range p.Variants {
		for name, value := range v.Options {
			i := slices.IndexFunc(options, func(o catalog.Option) bool { return o.Name == name })
			if i < 0 {
				options, i = append(options, catalog.Option{Name: name}), len(options)
			}
			if !slices.Contains(options[i].Values, value) {
				options[i].Values = append(options[i].Values, value)
			}
		}
	}
	slices.SortFunc(options, func(a, b catalog.Option) int { return strings.Compare(a.Name, b.Name) })
	return options
}

// checkOptions refuses a choice that the product does not offer.
func (p *jsonlProduct) checkOptions(v jsonlVariant, at string) (problems []RowProblem) {
	if len(p.Options) == 0 {
		return nil
	}
	for name, value := range v.Options {
		if !slices.ContainsFunc(p.Options, func(o catalog.Option) bool { return o.Name == name && slices.Contains(o.Values, value) }) {
			problems = append(problems, RowProblem{at + "/options", "validation_failed", fmt.Sprintf("The options of the product do not have %s %q.", name, value)})
		}
	}
	return problems
}

// price is the variant's own, or the product's.
func (p *jsonlProduct) price(v jsonlVariant, at string) (ImportPrice, []RowProblem) {
	price, compareAt := v.Price, v.CompareAtPrice
	if price == nil {
		at, price = "", p.Price
		if compareAt == nil {
			compareAt = p.CompareAtPrice
		}
	}
	if price == nil {
		return ImportPrice{}, []RowProblem{{"/price", "required", "There is no price of " + v.SKU + "."}}
	}
	var problems []RowProblem
	for _, m := range []struct {
		*jsonlMoney
		pointer string
	}{{price, at + "/price"}, {compareAt, at + "/compare_at_price"}, {v.Cost, at + "/cost"}} {
		if problem := m.check(m.pointer); problem != nil {
			problems = append(problems, *problem)
		}
	}
	if problems != nil {
		return ImportPrice{}, problems
	}
	result := ImportPrice{SKU: v.SKU, Amount: price.amount()}
	if compareAt != nil {
		amount := compareAt.amount()
		result.CompareAt = &amount
	}
	return result, nil
}

// check refuses an amount that lacks a part or cannot be money; none at all is fine.
func (m *jsonlMoney) check(pointer string) *RowProblem {
	if m == nil {
		return nil
	}
	if m.Amount == nil || m.Currency == nil {
		return &RowProblem{pointer, "invalid_money", `Money is {"amount": minor units, "currency": ISO 4217 code}.`}
	}
	if err := m.amount().Check(); err != nil {
		return &RowProblem{pointer, "invalid_money", err.Error() + "."}
	}
	return nil
}

func (m *jsonlMoney) amount() money.Amount { return money.New(*m.Amount, *m.Currency) }
