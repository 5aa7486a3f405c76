package sample

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Customer is an invented person. Nobody is meant: names are drawn from lists of common ones, mail addresses are at
// the domains reserved for examples, and telephone numbers are from the ranges reserved for fiction.
type Customer struct {
	Name    string
	Email   string
	Address Address
}

// Address is where a customer lives: a real town and postal area with an invented street and number.
type Address struct {
	Line1      string
	Line2      string // empty for most
	City       string
	Region     string // state or province; empty where addresses have none
	PostalCode string
	Country    string // ISO 3166-1 alpha-2
	Phone      string // E.164; empty for most
}

// Customers returns n invented customers. The i-th is the same for every n, and mail addresses do not repeat.
func Customers(n int) []Customer {
	out := make([]Customer, n)
	for i := range out {
		out[i] = customer(i)
	}
	return out
}

// customerSeed keeps the customers apart from everything else that is drawn.
const customerSeed = 0x5ea50

func customer(i int) Customer {
	r := rand.New(rand.NewPCG(customerSeed, uint64(i)))
	t := pickTown(r)
	names := namesOf[t.country]
	first, last := pick(r, names.first), pick(r, names.last)
	local := strings.ToLower(ascii.Replace(first + "." + last))
	return Customer{
		Name: first + " " + last,
		// The number makes the address unique however often a name comes up.
		Email:   fmt.Sprintf("%s.%d@example.%s", local, i+1, pick(r, []string{"com", "com", "org", "net"})),
		Address: address(r, t),
	}
}

func address(r *rand.Rand, t town) Address {
	number := 1 + r.IntN(t.maxNumber())
	street := pick(r, namesOf[t.country].streets)
	a := Address{City: t.city, Region: t.region, Country: t.country, PostalCode: digits(r, t.postal)}
	if numberLast[t.country] {
		a.Line1 = fmt.Sprintf("%s %d", street, number)
	} else {
		a.Line1 = fmt.Sprintf("%d %s", number, street)
	}
	if t.country == "US" {
		if r.IntN(4) == 0 {
			a.Line2 = fmt.Sprintf("Apt %d", 1+r.IntN(40))
		}
		if r.IntN(3) == 0 {
			a.Phone = fmt.Sprintf("+1%s555%04d", t.area, 100+r.IntN(100)) // 555-0100 to 555-0199 are for fiction
		}
	}
	return a
}

// numberLast lists the countries that write the house number after the street.
var numberLast = map[string]bool{"DE": true, "NL": true}

// town is a place and the form of its postal codes: # is any digit, @ any letter of those that British and Dutch
// codes end in.
type town struct {
	country, city, region, postal, area string
	weight                              int
}

func (t town) maxNumber() int {
	if t.country == "US" {
		return 2400
	}
	return 120
}

var towns = []town{
	{"US", "New York", "NY", "100##", "212", 9}, {"US", "Brooklyn", "NY", "112##", "718", 6}, {"US", "Los Angeles", "CA", "900##", "213", 8},
	{"US", "San Diego", "CA", "921##", "619", 4}, {"US", "San Francisco", "CA", "941##", "415", 4}, {"US", "Chicago", "IL", "606##", "312", 6},
	{"US", "Houston", "TX", "770##", "713", 5}, {"US", "Austin", "TX", "787##", "512", 5}, {"US", "Dallas", "TX", "752##", "214", 4},
	{"US", "Phoenix", "AZ", "850##", "602", 3}, {"US", "Philadelphia", "PA", "191##", "215", 4}, {"US", "Columbus", "OH", "432##", "614", 3},
	{"US", "Charlotte", "NC", "282##", "704", 3}, {"US", "Seattle", "WA", "981##", "206", 5}, {"US", "Portland", "OR", "972##", "503", 4},
	{"US", "Denver", "CO", "802##", "303", 4}, {"US", "Boulder", "CO", "803##", "303", 2}, {"US", "Boston", "MA", "021##", "617", 4},
	{"US", "Nashville", "TN", "372##", "615", 3}, {"US", "Minneapolis", "MN", "554##", "612", 3}, {"US", "Atlanta", "GA", "303##", "404", 4},
	{"US", "Miami", "FL", "331##", "305", 4}, {"US", "Orlando", "FL", "328##", "407", 2}, {"US", "Salt Lake City", "UT", "841##", "801", 2},
	{"CA", "Toronto", "ON", "M5V #L#", "", 4}, {"CA", "Vancouver", "BC", "V6B #K#", "", 3}, {"CA", "Montréal", "QC", "H2X #J#", "", 2},
	{"GB", "London", "", "SW# #@@", "", 5}, {"GB", "Manchester", "", "M## #@@", "", 2}, {"GB", "Edinburgh", "", "EH# #@@", "", 2},
	{"DE", "Berlin", "", "104##", "", 4}, {"DE", "Hamburg", "", "202##", "", 3}, {"DE", "München", "", "803##", "", 3},
	{"NL", "Amsterdam", "", "101# @@", "", 2}, {"NL", "Utrecht", "", "351# @@", "", 1},
	{"FR", "Paris", "", "7501#", "", 3}, {"FR", "Lyon", "", "6900#", "", 2},
	{"AU", "Sydney", "NSW", "20##", "", 2}, {"AU", "Melbourne", "VIC", "30##", "", 2},
}

var townWeights = func() (sum int) {
	for _, t := range towns {
		sum += t.weight
	}
	return sum
}()

func pickTown(r *rand.Rand) town {
	at := r.IntN(townWeights)
	for _, t := range towns {
		if at -= t.weight; at < 0 {
			return t
		}
	}
	return towns[0] // at has reached zero by the last one
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

func digits(r *rand.Rand, form string) string {
	out := []byte(form)
	for i, c := range out {
		switch c {
		case '#':
			out[i] = '1' + byte(r.IntN(9))
		case '@':
			out[i] = pick(r, []byte("ABDEHJLN"))
		}
	}
	return string(out)
}

type nameLists struct{ first, last, streets []string }

var english = nameLists{
	first: []string{
		"Olivia", "Emma", "Amelia", "Sophia", "Ava", "Isabella", "Mia", "Luna", "Harper", "Evelyn", "Camila", "Nora", "Hazel", "Aaliyah", "Zoe", "Priya", "Grace", "Naomi", "Ruth", "Leah",
		"Liam", "Noah", "Oliver", "James", "Elijah", "Mateo", "Theodore", "Henry", "Lucas", "William", "Benjamin", "Levi", "Jack", "Ezra", "Owen", "Samuel", "Diego", "Kai", "Malik", "Arjun",
	},
	last: []string{
		"Smith", "Johnson", "Williams", "Brown", "Jones", "Garcia", "Miller", "Davis", "Rodriguez", "Martinez", "Hernandez", "Lopez", "Wilson", "Anderson", "Thomas", "Taylor", "Moore", "Jackson", "Lee", "Perez",
		"Thompson", "White", "Harris", "Clark", "Lewis", "Robinson", "Walker", "Young", "Nguyen", "Hill", "Flores", "Green", "Adams", "Nelson", "Baker", "Patel", "Campbell", "Mitchell", "Kim", "Okafor",
	},
	streets: []string{"Oak Street", "Maple Avenue", "Cedar Lane", "Elm Street", "Park Avenue", "Lake View Drive", "Hillcrest Road", "Willow Way", "Sunset Drive", "River Road", "Chestnut Street", "Juniper Court", "Meadow Lane", "Church Street", "Highland Avenue"},
}

var namesOf = map[string]nameLists{
	"US": english, "CA": english, "GB": english, "AU": english,
	"DE": {
		first:   []string{"Anna", "Lena", "Jana", "Katharina", "Miriam", "Sabine", "Aylin", "Jonas", "Felix", "Lukas", "Moritz", "Jürgen", "Emre", "Paul"},
		last:    []string{"Müller", "Schmidt", "Schneider", "Fischer", "Weber", "Wagner", "Becker", "Hoffmann", "Schäfer", "Koch", "Yılmaz", "Richter"},
		streets: []string{"Gartenstraße", "Lindenallee", "Schulstraße", "Bergweg", "Ahornweg", "Bahnhofstraße", "Rosenweg"},
	},
	"NL": {
		first:   []string{"Sanne", "Femke", "Lotte", "Daan", "Sem", "Bram", "Thijs", "Noor"},
		last:    []string{"de Jong", "Jansen", "de Vries", "Bakker", "Visser", "Smit", "Meijer"},
		streets: []string{"Lindelaan", "Kerkstraat", "Molenweg", "Dorpsstraat", "Beukenlaan"},
	},
	"FR": {
		first:   []string{"Camille", "Chloé", "Manon", "Inès", "Hugo", "Louis", "Théo", "François", "Amina"},
		last:    []string{"Martin", "Bernard", "Dubois", "Moreau", "Laurent", "Lefèvre", "Garnier", "Benali"},
		streets: []string{"rue des Lilas", "avenue Victor Hugo", "rue de la Gare", "rue du Moulin", "place de l’Église"},
	},
}

// ascii writes names the way they stand in mail addresses.
var ascii = strings.NewReplacer(" ", "", "ä", "ae", "ö", "oe", "ü", "ue", "ß", "ss", "é", "e", "è", "e", "ç", "c", "ı", "i")
