package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"shopd/internal/catalog"
	"shopd/internal/inventory"
	"shopd/internal/money"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/postgres"
	"shopd/internal/pricing"
)

// ImportRow is a product as an import brings it: what the catalogue, pricing and inventory are to know of it.
type ImportRow struct {
	// Line is where it stands in its source, from 1; reports name it.
	Line int64
	// End is how far the source is read with this row, in bytes; 0 where there is no place to go on from.
	End      int64
	Product  catalog.Input
	Prices   []ImportPrice    // of the product's variants, in any number of currencies
	Stock    []inventory.Item // variants that are left out keep what they have
	Warnings []RowProblem     // what of the row is left out
}

// ImportPrice is what a variant costs in one currency.
type ImportPrice struct {
	SKU       string
	Amount    money.Amount
	CompareAt *money.Amount // nil without a reduction
}

// RowProblem is one thing that is wrong in a row, or was left out of it.
type RowProblem struct {
	Pointer string `json:"pointer,omitempty"` // JSON pointer into the row
	Code    string `json:"code"`
	Detail  string `json:"detail"`
}

// RowError is the error of a row that cannot be imported. The import goes on after it.
type RowError struct {
	Line     int64
	End      int64 // as in ImportRow
	SKU      string
	Problems []RowProblem
}

func (b *RowError) Error() string {
	details := make([]string, len(b.Problems))
	for i, p := range b.Problems {
		details[i] = strings.TrimSpace(p.Pointer + " " + p.Detail)
	}
	return fmt.Sprintf("line %d: %s", b.Line, strings.Join(details, "; "))
}

// ImportOptions says how to import. The zero value imports silently.
type ImportOptions struct {
	// DryRun checks every row and writes nothing.
	DryRun bool
	// Reason stands in the history of prices and in the movements of stock; empty is "import".
	Reason string
	// Refused hears of each row that is not imported, Warned of each that is not imported whole. An error ends the
	// import. Nil is not to know.
	Refused func(RowError) error
	Warned  func(line int64, sku string, p RowProblem) error
	// Checkpoint hears how far the source is done for good: the Line and End of a row before which, and with which,
	// nothing is left to do. An error ends the import. Nil is not to know.
	Checkpoint func(line, end int64, r ImportReport) error
}

// ImportReport counts what became of the rows.
type ImportReport struct {
	Rows     int64 `json:"rows"`
	Products int64 `json:"products"` // imported, also those that were as the row says
	Variants int64 `json:"variants"` // of them
	Refused  int64 `json:"refused"`  // rows that were not imported
	Warnings int64 `json:"warnings"`
}

const (
	// importBatch is how many products are written at once, importBatchVariants how many variants they may have
	// together unless one has more. It bounds a transaction, and lets the events of a product's prices and stock
	// travel in one batch of the relay, so that the product is rendered once for all of them.
	importBatch         = 200
	importBatchVariants = 160
)

// Import writes the rows that next returns, until io.EOF: products, then their prices, then their stock, in batches.
// A *RowError from next, and a row that is refused on the way, is reported and left out; any other error ends the
// import. Importing the same rows again changes nothing, so an import that was cut off is simply done again.
func (s *Shop) Import(ctx context.Context, next func() (ImportRow, error), o ImportOptions) (ImportReport, error) {
	if o.Reason == "" {
		o.Reason = "import"
	}
	im := &importer{shop: s, ImportOptions: o, skus: map[string]bool{}}
	for ctx.Err() == nil {
		row, err := next()
		if errors.Is(err, io.EOF) {
			return im.report, im.flush(ctx)
		}
		var bad *RowError
		switch {
		case errors.As(err, &bad):
		case err != nil:
			return im.report, err
		default:
			bad = row.check()
		}
		if bad != nil {
			err = im.refuse(*bad)
		} else {
			err = im.add(ctx, row)
		}
		if err != nil {
			return im.report, err
		}
	}
	return im.report, ctx.Err()
}

// importer gathers rows and writes them in batches.
type importer struct {
	ImportOptions
	shop     *Shop
	report   ImportReport
	batch    []ImportRow
	variants int
	skus     map[string]bool // of the batch
	line     int64           // of the last row that is in the batch, or refused
	end      int64           // of the same
}

func (im *importer) add(ctx context.Context, row ImportRow) error {
	// A batch is one statement, which cannot write a variant twice: the later row comes in the next one and wins.
	twice := false
	for _, v := range row.Product.Variants {
		twice = twice || im.skus[v.SKU]
	}
	if twice || im.variants+len(row.Product.Variants) > importBatchVariants {
		if err := im.flush(ctx); err != nil {
			return err
		}
	}
	for _, v := range row.Product.Variants {
		im.skus[v.SKU] = true
	}
	im.batch = append(im.batch, row)
	im.variants += len(row.Product.Variants)
	im.line, im.end = row.Line, row.End
	if len(im.batch) >= importBatch {
		return im.flush(ctx)
	}
	return nil
}

func (im *importer) refuse(bad RowError) error {
	im.report.Rows++
	im.report.Refused++
	im.line, im.end = max(im.line, bad.Line), max(im.end, bad.End)
	if im.Refused == nil {
		return nil
	}
	return im.Refused(bad)
}

// flush writes the batch. When something in it is refused, each row is tried by itself, so that one bad row costs
// itself only.
func (im *importer) flush(ctx context.Context) error {
	err := im.write(ctx, im.batch)
	if rowFault(err) {
		for i := range im.batch {
			err = im.write(ctx, im.batch[i:i+1])
			if rowFault(err) {
				err = im.refuse(im.batch[i].refused(err))
			}
			if err != nil {
				break
			}
		}
	}
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	im.batch, im.variants = im.batch[:0], 0
	clear(im.skus)
	if im.Checkpoint == nil {
		return nil
	}
	return im.Checkpoint(im.line, im.end, im.report)
}

func (im *importer) write(ctx context.Context, rows []ImportRow) error {
	if len(rows) == 0 {
		return nil
	}
	if !im.DryRun {
		if err := im.shop.writeProducts(ctx, rows, im.Reason); err != nil {
			return err
		}
	}
	for _, row := range rows {
		im.report.Rows++
		im.report.Products++
		im.report.Variants += int64(len(row.Product.Variants))
		for _, w := range row.Warnings {
			im.report.Warnings++
			if im.Warned == nil {
				continue
			}
			if err := im.Warned(row.Line, row.Product.SKU, w); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeProducts brings the catalogue, pricing and inventory to what rows say, one transaction each.
func (s *Shop) writeProducts(ctx context.Context, rows []ImportRow, reason string) error {
	inputs := make([]catalog.Input, len(rows))
	for i := range rows {
		inputs[i] = rows[i].Product
	}
	saved, err := s.Catalog.Save(ctx, inputs)
	if err != nil {
		return err
	}
	var prices []pricing.Change
	var stock []inventory.Item
	for i, row := range rows {
		for _, p := range row.Prices {
			prices = append(prices, pricing.Change{
				VariantID: string(saved[i].Variants[p.SKU]), SKU: p.SKU, Amount: p.Amount, CompareAt: p.CompareAt, Source: pricing.Import, Reason: reason,
			})
		}
		stock = append(stock, row.Stock...)
	}
	if _, err := s.Pricing.Set(ctx, prices); err != nil {
		return err
	}
	_, err = s.Inventory.SetOnHand(ctx, stock, reason, "system")
	return err
}

// rowFault tells what is wrong with the rows from what is wrong with the shop.
func rowFault(err error) bool {
	if err == nil {
		return false
	}
	switch errs.KindOf(err) {
	case errs.Invalid, errs.Conflict, errs.TooLarge, errs.Unsupported:
		return true
	}
	switch code := postgres.Code(err); {
	case strings.HasPrefix(code, "22"), strings.HasPrefix(code, "23"), strings.HasPrefix(code, "54"):
		return true // data that cannot be stored, a constraint, a limit
	}
	return false
}

func (r *ImportRow) refused(err error) RowError {
	return RowError{Line: r.Line, End: r.End, SKU: r.Product.SKU, Problems: problemsOf(err)}
}

// problemsOf spells an error out for the person whose row it is.
func problemsOf(err error) []RowProblem {
	e := errs.As(err)
	if e == nil {
		return []RowProblem{{Code: "not_storable", Detail: "The database refuses the row: " + err.Error()}}
	}
	if len(e.Fields) == 0 {
		return []RowProblem{{Code: e.Code, Detail: e.Detail}}
	}
	list := make([]RowProblem, len(e.Fields))
	for i, f := range e.Fields {
		list[i] = RowProblem(f)
	}
	return list
}

// maxOnHand is the most pieces of an article that an import may say are there.
const maxOnHand = 1_000_000_000

// check returns everything wrong with the row that can be known without the database; nil when it is fine.
func (r *ImportRow) check() *RowError {
	var problems []RowProblem
	if err := r.Product.Check(); err != nil {
		problems = problemsOf(err)
	}
	for _, p := range r.Prices {
		problems = append(problems, p.check()...)
	}
	for _, item := range r.Stock {
		if item.Quantity < 0 || item.Quantity > maxOnHand {
			problems = append(problems, RowProblem{"/quantity", "invalid_quantity", fmt.Sprintf("The quantity of %s must be from 0 to a billion.", item.SKU)})
		}
	}
	if problems == nil {
		return nil
	}
	return &RowError{Line: r.Line, End: r.End, SKU: r.Product.SKU, Problems: problems}
}

func (p ImportPrice) check() []RowProblem {
	if err := p.Amount.Check(); err != nil {
		return []RowProblem{{"/price", "invalid_money", fmt.Sprintf("The price of %s: %s.", p.SKU, err)}}
	}
	c := p.CompareAt
	if c != nil && (c.Check() != nil || c.Currency != p.Amount.Currency || c.Minor <= p.Amount.Minor) {
		return []RowProblem{{"/compare_at_price", "invalid_money", fmt.Sprintf("What the price of %s is compared with must be higher, in the same currency.", p.SKU)}}
	}
	return nil
}
