package figure

import "strings"

// palette is one set of colours. Both have a contrast of 4.5 and more between
// text and ground.
type palette struct{ ground, ink, soft, grid, curve, run, base, due string }

var (
	light = palette{ground: "#ffffff", ink: "#18202b", soft: "#566273", grid: "#e4e8ed", curve: "#2f3b4c", run: "#0f7a55", base: "#a3500a", due: "#b3261e"}
	dark  = palette{ground: "#10161f", ink: "#e8edf3", soft: "#a3afbd", grid: "#263240", curve: "#dbe3ec", run: "#45cf9c", base: "#f0a850", due: "#ff8a80"}
)

// shapes is the part of the style that both have in common; # is the drawing.
const shapes = `# text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif}
# text{paint-order:stroke;stroke-width:3;stroke-linejoin:round}
# .end{text-anchor:end}# .middle{text-anchor:middle}
# .name{font-weight:600}# text.title{font-size:16px;font-weight:600}
# path{fill:none}# .grid{stroke-width:1}# .day{stroke-width:1.5}
# .measured{stroke-width:2;stroke-linejoin:round}# .expected{stroke-width:1.6;stroke-dasharray:5 2.5;stroke-linejoin:round}
# .band{stroke:none;fill-opacity:.18}# .unknown{stroke:none}
# rect.done,# rect.planned{stroke-width:1.2}# .compared{fill:none;stroke-width:1.4;stroke-dasharray:5 3}
# .rejected{fill:none;stroke-width:1.4;stroke-dasharray:1.5 2.5}
# .under{stroke:none}# .done.under{fill-opacity:.5}# path.now{stroke-width:1.5}
# path.due{stroke-width:1.5;stroke-dasharray:6 3}# path.tip{stroke:none}
`

const colours = `# .ground{fill:GROUND}# text{fill:INK;stroke:GROUND}# text.soft{fill:SOFT}# text.due{fill:DUE}
# .grid{stroke:GRID}# .day{stroke:SOFT;stroke-opacity:.35}# .measured{stroke:CURVE}# .expected{stroke:SOFT}# .band{fill:SOFT}
# .done{fill:RUN}# rect.done,# rect.planned{stroke:RUN}# .planned{fill:url(#-hatch)}# .unknown{fill:url(#-gap)}
# .compared{stroke:BASE}# .rejected{stroke:SOFT}# path.now{stroke:INK}# path.due{stroke:DUE}# path.now.tip{fill:INK}# path.due.tip{fill:DUE}
##-hatch path{stroke:RUN;stroke-width:3;stroke-opacity:.75}##-gap path{stroke:GRID;stroke-width:2}
`

// style is the drawing's own style sheet and its two patterns. All its rules
// begin with the drawing's id, so that two in one page keep apart.
func style(name string) string {
	paint := func(p palette) string {
		return strings.NewReplacer("GROUND", p.ground, "INK", p.ink, "SOFT", p.soft, "GRID", p.grid, "CURVE", p.curve, "RUN", p.run, "BASE", p.base, "DUE", p.due).Replace(colours)
	}
	rules := shapes + paint(light) + "@media (prefers-color-scheme:dark){\n" + paint(dark) + "}\n"
	rules = strings.NewReplacer("##-", "#"+name+"-", "url(#-", "url(#"+name+"-", "# ", "."+name+" ").Replace(rules)
	return "<style>\n" + rules + "</style>\n<defs>" +
		`<pattern id="` + name + `-hatch" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path d="M1.5 0V7"/></pattern>` +
		`<pattern id="` + name + `-gap" width="9" height="9" patternUnits="userSpaceOnUse" patternTransform="rotate(-45)"><path d="M1 0V9"/></pattern>` +
		"</defs>\n"
}

// name makes a word of an id that can stand in a style sheet.
func name(id string) string {
	if id == "" {
		return "figure"
	}
	return "f-" + strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, id)
}
