package search

// What a term weighs in a document by where it stands there; what is said in several places adds up. The numbers were
// found with the relevance benchmark (bench/relevance), one half of its queries proving what was set by the other.
const (
	weightTitle       = 9.0
	weightTitleFor    = 3.0  // behind a "for"
	weightTitleHead   = 9.0  // besides weightTitle: the last noun of a group
	weightBrand       = 8.0  // also of collections' own names
	weightCategory    = 12.0 // the noun of a category's name
	weightModifier    = 4.0  // the other words of it
	weightAncestor    = 1.0  // the names of the categories above
	weightCollection  = 4.0
	weightWholeValue  = 4.0 // besides weightValue: an attribute has this value and no other
	weightValue       = 0.5
	weightName        = 1.0 // of an attribute that has a value
	weightDescription = 1.0
	weightCode        = 4.0

	// weightScale makes weights whole numbers.
	weightScale = 2
	// MaxWeight is the most that a term weighs in a document, scaled.
	MaxWeight = 72
)

// Longer texts say less with each of their words: length beyond the first number lowers a weight by the second power.
var (
	titleLength       = length{8, 0.3}
	attributesLength  = length{10, 0.5}
	descriptionLength = length{20, 0.3}
)

// What a document scores for meeting a word of a query, besides what the word weighs in it times the word's rarity
// (some 5 to 200).
const (
	scoreMet        = 60.0  // for any way to meet it, so that meeting all words counts most
	scorePair       = 40.0  // a word with the number behind it: "Windows 10"
	scoreRun        = 20.0  // the title has it in other pieces: "c 5220 ks"
	scoreUnfinished = 10.0  // a name begins with it
	scoreCode       = 300.0 // it is an SKU or GTIN
	scoreCodePrefix = 100.0 // one begins with it

	scoreNeighbours = 10.0 // two words stand beside each other in the title
	scoreBeginning  = 20.0 // the title begins with the text
)

// The factors on what is met by other words than the ones typed.
const (
	factorSynonym = 0.9
	factorParts   = 0.9
)
