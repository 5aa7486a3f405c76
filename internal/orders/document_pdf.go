package orders

import (
	"bytes"
	_ "embed"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"codeberg.org/go-pdf/fpdf"

	"shopd/internal/money"
)

// The fonts write Latin, Greek, Cyrillic and more; see fonts/LICENSE. What they lack, such as Chinese, shows as boxes.
var (
	//go:embed fonts/DejaVuSansCondensed.ttf
	regularFont []byte
	//go:embed fonts/DejaVuSansCondensed-Bold.ttf
	boldFont []byte
)

// The page, in millimetres.
const (
	pageLeft, pageRight, pageTop, pageBottom = 20.0, 20.0, 18.0, 26.0
	pageWidth                                = 210.0 - pageLeft - pageRight
	lineHeight                               = 4.8
)

// columns of the table: description, pieces, price of one, amount.
var columnWidths = [4]float64{pageWidth - 16 - 32 - 32, 16, 32, 32}

// sheet is what a document says, whichever kind it is.
type sheet struct {
	title    string
	facts    [][2]string
	rows     []sheetRow
	sums     [][2]string
	total    [2]string
	within   [][2]string // what the total contains
	closing  []string
	buyer    []string
	seller   Seller
	issuedAt time.Time
}

type sheetRow struct {
	title, detail       string
	pieces              int // zero for what is not counted
	each, amount, minus money.Amount
}

// drawDocument draws a document: the same one is the same to the last byte.
func drawDocument(o *Order, d *storedDocument) ([]byte, error) {
	if d.Kind == CreditNote {
		return draw(o.creditNoteSheet(d))
	}
	return draw(o.invoiceSheet(d))
}

func (o *Order) invoiceSheet(d *storedDocument) *sheet {
	s := o.sheet(d, "Invoice")
	for _, l := range o.Lines {
		s.rows = append(s.rows, sheetRow{
			title: l.Title, detail: l.describe(), pieces: l.Quantity, each: l.UnitPrice, amount: l.UnitPrice.Times(int64(l.Quantity)), minus: l.Discount,
		})
	}
	t := o.Totals
	s.sum("Subtotal", t.Subtotal)
	if !t.Discount.IsZero() {
		label := "Discount"
		if o.Parent != nil {
			label = "Paid with order " + strconv.FormatInt(o.Parent.Number, 10)
		}
		s.sums = append(s.sums, [2]string{label, minus(t.Discount)})
	}
	if o.Parent == nil || !t.Shipping.IsZero() {
		s.sum("Shipping ("+o.Method.Name+")", t.Shipping)
	}
	s.tax(d.Rate, t.Total, t.Tax, t.TaxIncluded)
	s.total = [2]string{"Total", printed(t.Total)}
	if o.PaidAt != nil {
		s.closing = append(s.closing, "Paid on "+date(*o.PaidAt)+".")
	}
	return s
}

func (o *Order) creditNoteSheet(d *storedDocument) *sheet {
	s := o.sheet(d, "Credit note")
	r := o.refund(d.RefundID)
	if r == nil {
		r = &Refund{Amount: money.New(0, o.Currency), Shipping: money.New(0, o.Currency)}
	}
	for _, invoice := range o.Documents {
		if invoice.Kind == Invoice {
			s.facts = append(s.facts, [2]string{"Of invoice", invoice.Number})
		}
	}
	counted := money.New(0, o.Currency)
	for _, l := range r.Lines {
		line := o.line(l.LineID)
		if line == nil {
			continue
		}
		s.rows = append(s.rows, sheetRow{title: line.Title, detail: line.describe(), pieces: l.Quantity, each: line.UnitPrice, amount: l.Amount})
		counted = counted.Add(l.Amount)
	}
	if !r.Shipping.IsZero() {
		s.rows = append(s.rows, sheetRow{title: "Shipping (" + o.Method.Name + ")", amount: r.Shipping})
		counted = counted.Add(r.Shipping)
	}
	switch rest := r.Amount.Sub(counted); {
	case len(s.rows) == 0:
		s.rows = append(s.rows, sheetRow{title: refundTitles[r.Reason], amount: r.Amount})
	case rest.Minor < 0:
		s.rows = append(s.rows, sheetRow{title: "Kept, refunded before, or paid for other goods", amount: rest})
	case rest.Minor > 0:
		s.rows = append(s.rows, sheetRow{title: refundTitles[r.Reason], amount: rest})
	}
	s.tax(d.Rate, r.Amount, o.shareOf(o.Totals.Tax, r.Amount), o.shareOf(o.Totals.TaxIncluded, r.Amount))
	s.total = [2]string{"Goes back to you", printed(r.Amount)}
	s.closing = append(s.closing, "It goes back the way it was paid.")
	return s
}

// shareOf is the part of a sum of the whole order that belongs to an amount of its total.
func (o *Order) shareOf(sum, amount money.Amount) money.Amount {
	if o.Totals.Total.Minor == 0 {
		return money.New(0, o.Currency)
	}
	return sum.Share(amount.Minor, o.Totals.Total.Minor)
}

// refundTitles say what money is for that no goods stand for.
var refundTitles = map[string]string{
	becauseCancelled: "The order was cancelled", becauseLinesCancelled: "Articles that are not sent", becauseReturn: "Returned goods",
	becauseGoodwill: "Gesture of goodwill", becauseExchangeCancelled: "The exchange was cancelled",
	becauseNotCaptured: "Not charged",
}

func (o *Order) sheet(d *storedDocument, title string) *sheet {
	return &sheet{
		title: title + " " + d.Number, seller: d.Seller, buyer: buyerLines(d.buyer), issuedAt: d.IssuedAt,
		facts: [][2]string{{"Date", date(d.IssuedAt)}, {"Order", strconv.FormatInt(o.Number, 10)}, {"Ordered on", date(o.PlacedAt)}},
	}
}

func (s *sheet) sum(label string, a money.Amount) {
	s.sums = append(s.sums, [2]string{label, printed(a)})
}

// tax says what tax is added, or contained in the prices.
func (s *sheet) tax(rate int64, total, added, included money.Amount) {
	switch {
	case !added.IsZero():
		s.sum("Tax "+percent(rate), added)
	case !included.IsZero():
		s.within = [][2]string{{"With VAT of " + percent(rate) + " in it", printed(included)}, {"Net", printed(total.Sub(included))}}
	}
}

// percent writes a rate in millionths, such as "8.875 %".
func percent(rate int64) string {
	whole := strconv.FormatInt(rate/10_000, 10)
	if part := rate % 10_000; part != 0 {
		whole += "." + strings.TrimRight(strconv.FormatInt(10_000+part, 10)[1:], "0")
	}
	return whole + " %"
}

func printed(a money.Amount) string { return a.Decimal() + " " + string(a.Currency) }

func minus(a money.Amount) string { return printed(a.Times(-1)) }

func date(t time.Time) string { return t.UTC().Format("2 January 2006") }

// describe is what tells the article from others of its title.
func (l *Line) describe() string {
	parts := make([]string, 0, len(l.Options)+1)
	for _, name := range slices.Sorted(maps.Keys(l.Options)) {
		parts = append(parts, name+": "+l.Options[name])
	}
	return strings.Join(append(parts, l.SKU), " · ")
}

func buyerLines(c *Contact) []string {
	if c == nil {
		return []string{"(personal data erased)"}
	}
	a := c.Shipping
	if c.Billing != nil {
		a = *c.Billing
	}
	lines := []string{a.Name, a.Line1}
	if a.Line2 != "" {
		lines = append(lines, a.Line2)
	}
	city := strings.TrimSpace(a.PostalCode + " " + a.City)
	if a.Region != "" {
		city += ", " + a.Region
	}
	return append(lines, city, a.Country)
}

// draw lays a sheet out on as many pages as it takes.
func draw(s *sheet) ([]byte, error) {
	p := fpdf.New("P", "mm", "A4", "")
	p.SetCatalogSort(true)
	p.SetCreationDate(s.issuedAt)
	p.SetModificationDate(s.issuedAt)
	p.SetProducer("shopd", true)
	p.SetTitle(s.title, true)
	p.SetAuthor(s.seller.Name, true)
	p.SetMargins(pageLeft, pageTop, pageRight)
	p.SetAutoPageBreak(true, pageBottom)
	p.AddUTF8FontFromBytes("sans", "", regularFont)
	p.AddUTF8FontFromBytes("sans", "B", boldFont)
	p.AliasNbPages("{pages}")
	p.SetFooterFunc(func() { s.footer(p) })
	p.AddPage()
	s.head(p)
	s.table(p)
	s.totals(p)
	var out bytes.Buffer
	err := p.Output(&out)
	return out.Bytes(), err
}

// Greys and sizes.
const (
	dark, grey, light  = 25, 110, 215
	small, usual, huge = 8.0, 9.5, 17.0
)

func (s *sheet) head(p *fpdf.Fpdf) {
	write := func(x, y, w float64, align string, lines ...string) float64 {
		for _, text := range lines {
			p.SetXY(x, y)
			p.MultiCell(w, lineHeight, text, "", align, false)
			y = p.GetY()
		}
		return y
	}
	p.SetTextColor(dark, dark, dark)
	p.SetFont("sans", "B", 13)
	y := write(pageLeft, pageTop, pageWidth, "R", s.seller.Name)
	p.SetFont("sans", "", small)
	p.SetTextColor(grey, grey, grey)
	lines := slices.Clone(s.seller.Address)
	if s.seller.Contact != "" {
		lines = append(lines, s.seller.Contact)
	}
	if s.seller.TaxID != "" {
		lines = append(lines, "Tax id "+s.seller.TaxID)
	}
	sellerEnd := write(pageLeft+pageWidth/2, y+1, pageWidth/2, "R", lines...)

	p.SetTextColor(dark, dark, dark)
	p.SetFont("sans", "", usual+1)
	buyerEnd := write(pageLeft, 52, pageWidth/2, "L", s.buyer...)

	y = max(sellerEnd, buyerEnd) + 14
	p.SetFont("sans", "B", huge)
	p.SetXY(pageLeft, y)
	p.MultiCell(pageWidth, 8, s.title, "", "L", false)
	y = p.GetY() + 2
	p.SetFont("sans", "", small)
	width := pageWidth / 4
	for i, fact := range s.facts {
		x := pageLeft + float64(i)*width
		p.SetTextColor(grey, grey, grey)
		write(x, y, width, "L", fact[0])
		p.SetTextColor(dark, dark, dark)
		write(x, y+lineHeight, width, "L", fact[1])
	}
	p.SetXY(pageLeft, y+2*lineHeight+6)
}

func (s *sheet) table(p *fpdf.Fpdf) {
	heading := func() {
		p.SetFont("sans", "B", small)
		p.SetTextColor(grey, grey, grey)
		for i, text := range [4]string{"Article", "Pieces", "Price", "Amount"} {
			p.CellFormat(columnWidths[i], 6, text, "B", 0, alignOf(i), false, 0, "")
		}
		p.Ln(7)
	}
	p.SetDrawColor(light, light, light)
	heading()
	for _, row := range s.rows {
		p.SetFont("sans", "", usual)
		titles := p.SplitText(row.title, columnWidths[0]-3)
		p.SetFont("sans", "", small)
		var details []string
		if row.detail != "" {
			details = p.SplitText(row.detail, columnWidths[0]-3)
		}
		height := float64(len(titles))*lineHeight + float64(len(details))*(lineHeight-0.8) + 3
		if p.GetY()+height > 297-pageBottom {
			p.AddPage()
			heading()
		}
		s.row(p, row, titles, details, height)
	}
}

func alignOf(column int) string {
	if column == 0 {
		return "L"
	}
	return "R"
}

func (s *sheet) row(p *fpdf.Fpdf, row sheetRow, titles, details []string, height float64) {
	top := p.GetY()
	p.SetTextColor(dark, dark, dark)
	p.SetFont("sans", "", usual)
	for i, text := range titles {
		p.SetXY(pageLeft, top+float64(i)*lineHeight)
		p.CellFormat(columnWidths[0], lineHeight, text, "", 0, "L", false, 0, "")
	}
	x := pageLeft + columnWidths[0]
	cells := [3]string{"", "", printed(row.amount)}
	if row.pieces > 0 {
		cells[0], cells[1] = strconv.Itoa(row.pieces), printed(row.each)
	}
	for i, text := range cells {
		p.SetXY(x, top)
		p.CellFormat(columnWidths[i+1], lineHeight, text, "", 0, "R", false, 0, "")
		x += columnWidths[i+1]
	}
	p.SetFont("sans", "", small)
	p.SetTextColor(grey, grey, grey)
	if !row.minus.IsZero() {
		p.SetXY(pageLeft+pageWidth-columnWidths[3], top+lineHeight)
		p.CellFormat(columnWidths[3], lineHeight-0.8, minus(row.minus), "", 0, "R", false, 0, "")
	}
	y := top + float64(len(titles))*lineHeight
	for i, text := range details {
		p.SetXY(pageLeft, y+float64(i)*(lineHeight-0.8))
		p.CellFormat(columnWidths[0], lineHeight-0.8, text, "", 0, "L", false, 0, "")
	}
	p.Line(pageLeft, top+height-1.5, pageLeft+pageWidth, top+height-1.5)
	p.SetXY(pageLeft, top+height)
}

func (s *sheet) totals(p *fpdf.Fpdf) {
	height := float64(len(s.sums)+len(s.within))*(lineHeight+0.6) + 12 + float64(len(s.closing))*lineHeight + 8
	if p.GetY()+height > 297-pageBottom {
		p.AddPage()
	}
	p.Ln(3)
	left := pageLeft + pageWidth*0.45
	label, amount := pageWidth*0.55-45, 45.0
	list := func(sums [][2]string) {
		p.SetFont("sans", "", usual)
		for _, sum := range sums {
			p.SetX(left)
			p.SetTextColor(grey, grey, grey)
			p.CellFormat(label, lineHeight+0.6, sum[0], "", 0, "L", false, 0, "")
			p.SetTextColor(dark, dark, dark)
			p.CellFormat(amount, lineHeight+0.6, sum[1], "", 1, "R", false, 0, "")
		}
	}
	list(s.sums)
	p.Ln(1.5)
	p.SetX(left)
	p.SetFont("sans", "B", 11)
	p.SetTextColor(dark, dark, dark)
	p.CellFormat(label, 8, s.total[0], "T", 0, "L", false, 0, "")
	p.CellFormat(amount, 8, s.total[1], "T", 1, "R", false, 0, "")
	list(s.within)
	p.Ln(6)
	p.SetFont("sans", "", usual)
	for _, text := range s.closing {
		p.SetX(pageLeft)
		p.MultiCell(pageWidth, lineHeight, text, "", "L", false)
	}
}

func (s *sheet) footer(p *fpdf.Fpdf) {
	p.SetY(-pageBottom + 6)
	p.SetFont("sans", "", 7.5)
	p.SetTextColor(grey, grey, grey)
	if s.seller.Footer != "" {
		p.MultiCell(pageWidth, 3.6, s.seller.Footer, "", "C", false)
	}
	p.SetX(pageLeft)
	p.CellFormat(pageWidth, 4, s.title+" · page "+strconv.Itoa(p.PageNo())+" of {pages}", "", 0, "C", false, 0, "")
}
