package events

// StockChanged says how much of an article there is in one location after a movement.
type StockChanged struct {
	SKU       string `json:"sku"`
	Location  string `json:"location"`
	OnHand    int64  `json:"on_hand"`   // pieces in the house
	Reserved  int64  `json:"reserved"`  // of them promised to orders
	Available int64  `json:"available"` // on_hand − reserved
	Kind      string `json:"kind"`      // of the movement: received, sold, returned, adjusted, transferred, reserved, released
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
