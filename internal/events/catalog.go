package events

// ProductChanged says that what shoppers read about a product changed: its texts, pictures, category, variants or
// status. Prices and stock have events of their own.
type ProductChanged struct {
	ProductID string `json:"product_id"`
	Status    string `json:"status"` // draft, active or archived
	Version   int64  `json:"version"`
}

// Type is catalog.product_changed.v1.
func (ProductChanged) Type() string { return "catalog.product_changed.v1" }

// Aggregate is the product.
func (e ProductChanged) Aggregate() (string, int64) { return e.ProductID, e.Version }
