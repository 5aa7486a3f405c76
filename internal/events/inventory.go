package events

// StockChanged says how much of an article there is in one location after a movement.
type StockChanged struct {
	SKU       string `json:"sku"`
	Location  string `json:"location"`
	OnHand    int64  `json:"on_hand"`             // pieces in the house; negative by what is sold and still to come
	Reserved  int64  `json:"reserved"`            // of them promised to orders
	Available int64  `json:"available"`           // on_hand − reserved; negative by what is owed
	Orderable int64  `json:"orderable,omitempty"` // what can be ordered: what is available, and what may be owed
	Kind      string `json:"kind"`                // of the movement: received, sold, returned, adjusted, transferred, reserved, released; terms when only those changed
	OrderID   string `json:"order_id,omitempty"`
	Version   int64  `json:"version"`
}

// Type is inventory.stock_changed.v1.
func (StockChanged) Type() string { return "inventory.stock_changed.v1" }

// Aggregate is the stock row: "sku@location".
func (e StockChanged) Aggregate() (string, int64) { return e.SKU + "@" + e.Location, e.Version }

// StockLow says that an article fell to its reorder point, or below.
type StockLow struct {
	SKU          string `json:"sku"`
	Location     string `json:"location"`
	Available    int64  `json:"available"`
	ReorderPoint int64  `json:"reorder_point"`
	Version      int64  `json:"version"`
}

// Type is inventory.stock_low.v1.
func (StockLow) Type() string { return "inventory.stock_low.v1" }

// Aggregate is the stock row: "sku@location".
func (e StockLow) Aggregate() (string, int64) { return e.SKU + "@" + e.Location, e.Version }

// StockedOut says that nothing of an article is left in one location: what is there is promised. Other locations may
// still have some.
type StockedOut struct {
	SKU      string `json:"sku"`
	Location string `json:"location"`
	OnHand   int64  `json:"on_hand"` // pieces in the house; negative by what is sold and still to come
	Reserved int64  `json:"reserved"`
	Version  int64  `json:"version"`
}

// Type is inventory.stocked_out.v1.
func (StockedOut) Type() string { return "inventory.stocked_out.v1" }

// Aggregate is the stock row: "sku@location".
func (e StockedOut) Aggregate() (string, int64) { return e.SKU + "@" + e.Location, e.Version }
