package searchtest

import (
	"encoding/json"
	"fmt"
	"time"

	"shopd/internal/catalog/search"
)

// Epoch is when the oldest product of the Catalogue was created; each following one is a day younger.
var Epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// product is a line of the mini catalogue.
type product struct {
	id, title, description, brand string
	sku, gtin                     string
	path                          []string // ids of the category and its ancestors
	attributes                    map[string][]string
	price                         int64
	out                           bool // of stock
	popularity                    float64
}

var categoryNames = map[string]string{
	"cat_gear": "Gear", "cat_bags": "Bags", "cat_watches": "Watches", "cat_fitness": "Fitness Equipment",
	"cat_men": "Men", "cat_jackets": "Jackets", "cat_women": "Women", "cat_tees": "Tees",
	"cat_tech": "Electronics", "cat_cables": "Cables", "cat_storage": "Storage", "cat_printing": "Printing",
	"cat_home": "Home",
}

func values(nameValues ...string) map[string][]string {
	m := make(map[string][]string)
	for i := 0; i < len(nameValues); i += 2 {
		m[nameValues[i]] = append(m[nameValues[i]], nameValues[i+1])
	}
	return m
}

var products = []product{
	{"joust", "Joust Duffle Bag", "Big enough to haul a basketball and some sneakers with plenty of room to spare.", "Luma", "24-MB01", "4006381333931", []string{"cat_bags", "cat_gear"}, values("Colour", "Blue", "Material", "Nylon", "Material", "Polyester"), 3400, false, 50},
	{"strive", "Strive Shoulder Pack", "A bag that adjusts to your shoulder. Perfect for camping.", "Luma", "24-MB04", "4006381333948", []string{"cat_bags", "cat_gear"}, values("Colour", "Red", "Material", "Canvas"), 3200, false, 5},
	{"crown", "Crown Summit Backpack", "The pack for the trail with reflective trim.", "Luma", "24-MB03", "4006381333955", []string{"cat_bags", "cat_gear"}, values("Colour", "Black", "Material", "Nylon"), 3800, true, 5},
	{"fusion", "Fusion Backpack", "Holds a laptop, a water bottle and your lunch.", "Luma", "24-MB02", "4006381333962", []string{"cat_bags", "cat_gear"}, values("Colour", "Red", "Material", "Polyester"), 5900, false, 500},
	{"didi", "Didi Sport Watch", "Tells the time under water.", "Didi", "24-WG02", "4006381333979", []string{"cat_watches", "cat_gear"}, values("Colour", "Red", "Material", "Rubber"), 9200, false, 10},
	{"dash", "Dash Digital Watch", "A smartwatch for runners, with heart rate.", "Luma", "24-MG02", "4006381333986", []string{"cat_watches", "cat_gear"}, values("Colour", "Black", "Material", "Silicone"), 9200, false, 10},
	{"ball", "Sprite Stasis Ball 65 cm", "An exercise ball for the core.", "Sprite", "24-WG082-blue", "4006381333993", []string{"cat_fitness", "cat_gear"}, values("Colour", "Blue", "Size", "65 cm"), 2700, false, 3},
	{"board", "Balance Board 2x4", "Maple wood.", "Sprite", "BB-2X4", "4006381334006", []string{"cat_fitness", "cat_gear"}, values("Material", "Wood"), 4500, false, 1},
	{"proteus", "Proteus Fitness Jackshirt", "Wicking jacket shirt for the fitness studio.", "Proteus", "MJ12", "4006381334013", []string{"cat_jackets", "cat_men"}, values("Colour", "Orange", "Size", "M", "Size", "L"), 4500, false, 8},
	{"montana", "Montana Wind Jacket", "Light-as-a-feather wind protection, in red as well.", "Montana", "MJ03", "4006381334020", []string{"cat_jackets", "cat_men"}, values("Colour", "Green", "Size", "L", "Size", "XL"), 4900, false, 8},
	{"jupiter", "Jupiter All-Weather Trainer Jacket", "Inclement climate? Not a problem.", "Luma", "MJ06", "4006381334037", []string{"cat_jackets", "cat_men"}, values("Colour", "Red", "Size", "S", "Size", "M"), 5600, false, 8},
	{"radiant", "Radiant Women's Tee", "So light and comfy, you'll love the T-shirt.", "Luma", "WS12", "4006381334044", []string{"cat_tees", "cat_women"}, values("Colour", "Blue", "Size", "M"), 2200, false, 30},
	{"cafe", "Crème Brûlée Café Set", "Für Genießer. Zwei Tassen.", "Röstwerk", "CB-100", "4006381334051", []string{"cat_home"}, values("Colour", "White"), 1999, false, 2},
	{"cable183", "Network Cable 1.83m", "Category 6 patch cable.", "C2G", "C2G-27104", "0757120271048", []string{"cat_cables", "cat_tech"}, values("Colour", "Grey", "Length", "1.83 m"), 799, false, 20},
	{"cable10", "Network Cable 10 m", "Category 6 patch cable.", "C2G", "C2G-27110", "0757120271109", []string{"cat_cables", "cat_tech"}, values("Colour", "Black", "Length", "10 m"), 1799, false, 20},
	{"disk1", "External Hard Drive 1 TB", "USB 3.0, 2.5\" disk.", "Seagate", "STGX1000400", "0763649116654", []string{"cat_storage", "cat_tech"}, values("Colour", "Black", "Capacity", "1 TB"), 5999, false, 90},
	{"disk2", "External Hard Drive 2TB", "USB 3.0, 2.5 inch disk.", "Seagate", "STGX2000400", "0763649116661", []string{"cat_storage", "cat_tech"}, values("Colour", "Black", "Capacity", "2 TB"), 7999, false, 40},
	{"toner", "Lexmark Toner Cartridge C5220KS", "Black, 4000 pages.", "Lexmark", "C5220KS", "0734646437950", []string{"cat_printing", "cat_tech"}, values("Colour", "Black"), 11900, false, 4},
	{"printer", "Lexmark Laser Printer", "Uses the toner cartridge C5220KS and prints wirelessly over wi-fi.", "Lexmark", "LX-9000", "0734646437967", []string{"cat_printing", "cat_tech"}, values("Colour", "White"), 24900, false, 4},
	{"keyboard", "Wireless Keyboard", "A quiet keyboard with Bluetooth.", "Keyster", "KB-700", "4006381334099", []string{"cat_tech"}, values("Colour", "White"), 4999, false, 60},
	{"speaker", "Bluetooth Speaker", "Battery for 12 hours.", "Keyster", "SP-20", "4006381334105", []string{"cat_tech"}, values("Colour", "Black"), 3999, false, 60},
	{"hebrew", "תיק גב", "תיק גב קל מאוד", "Luma", "HE-1", "4006381334112", []string{"cat_bags", "cat_gear"}, nil, 2500, false, 0},
	{"japanese", "赤いバッグ", "軽い", "Luma", "JA-1", "4006381334129", []string{"cat_bags", "cat_gear"}, nil, 2600, false, 0},
	{"emoji", "Party Mug 🎉", "For every party 🎈.", "Luma", "EM-1", "4006381334136", []string{"cat_home"}, nil, 900, false, 0},
}

// Catalogue is a small shop: bags, watches, jackets, electronics and what is hard about their names.
// Every document has version 1 and a payload that names it.
func Catalogue() []search.Document {
	docs := make([]search.Document, len(products))
	for i, p := range products {
		docs[i] = search.Document{
			ProductID: "prod_" + p.id, Slug: p.id, Title: p.title, Description: p.description, Brand: p.brand,
			SKUs: []string{p.sku}, GTINs: []string{p.gtin}, CategoryIDs: p.path, Attributes: p.attributes,
			Price: p.price, InStock: !p.out, Popularity: p.popularity, CreatedAt: Epoch.AddDate(0, 0, i),
			Status: search.StatusActive, Version: 1, Payload: json.RawMessage(fmt.Sprintf(`{"sku": %q, "rating": 4.50}`, p.sku)),
		}
		for _, id := range p.path {
			docs[i].CategoryNames = append(docs[i].CategoryNames, categoryNames[id])
		}
	}
	return docs
}

// Document is a product of the Catalogue, with another version.
func Document(id string, version int64) search.Document {
	for _, d := range Catalogue() {
		if d.ProductID == id {
			d.Version = version
			return d
		}
	}
	panic("searchtest: no product " + id + " in the catalogue")
}
