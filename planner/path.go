package planner

import (
	"strconv"
	"strings"

	"rhumb/types"
)

// ParsePath reads the path of a column in its payload: $ for the whole, then .name, ["any name"], ['any name'] or [index]. The result
// is the steps; an index keeps its brackets, as package decode reads it.
func ParsePath(text string) ([]string, error) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(text), "$")
	if !ok {
		return nil, pathError(text, "it begins with $")
	}
	path := []string{}
	for rest != "" {
		var step string
		var err error
		switch rest[0] {
		case '.':
			step, rest, err = nameStep(text, rest[1:])
		case '[':
			step, rest, err = bracketStep(text, rest[1:])
		default:
			err = pathError(text, "a step begins with . or [")
		}
		if err != nil {
			return nil, err
		}
		path = append(path, step)
	}
	return path, nil
}

func pathError(text, why string) error {
	return types.Errorf(types.CodeInvalidOption, "invalid path '%s': %s", text, why).
		WithHint(`Paths look like '$.source.ip', '$["source.ip"]', '$.answers[0]'.`)
}

// nameStep reads a name up to the next step. Only letters, digits, _, -, @ and what is not ASCII stand without quotes.
func nameStep(text, s string) (step, rest string, err error) {
	n := 0
	for n < len(s) && (s[n] >= 0x80 || s[n] == '_' || s[n] == '-' || s[n] == '@' || s[n] >= '0' && s[n] <= '9' ||
		s[n] >= 'a' && s[n] <= 'z' || s[n] >= 'A' && s[n] <= 'Z') {
		n++
	}
	if n == 0 {
		return "", "", pathError(text, "a name is missing after the dot, or needs brackets and quotes")
	}
	return s[:n], s[n:], nil
}

func bracketStep(text, s string) (step, rest string, err error) {
	if s == "" {
		return "", "", pathError(text, "a bracket is not closed")
	}
	if s[0] == '"' || s[0] == '\'' {
		return quotedStep(text, s)
	}
	step, rest, ok := strings.Cut(s, "]")
	if !ok {
		return "", "", pathError(text, "a bracket is not closed")
	}
	if n, err := strconv.ParseUint(step, 10, 31); err != nil || strconv.FormatUint(n, 10) != step {
		return "", "", pathError(text, "in brackets there is a name in quotes or an index from 0 on")
	}
	return "[" + step + "]", rest, nil
}

// quotedStep reads a name in quotes, in which a backslash takes the next character as it is.
func quotedStep(text, s string) (step, rest string, err error) {
	var name strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			name.WriteByte(s[i])
		case s[i] != s[0]:
			name.WriteByte(s[i])
		case !strings.HasPrefix(s[i+1:], "]"):
			return "", "", pathError(text, "a bracket is not closed")
		default:
			return name.String(), s[i+2:], nil
		}
	}
	return "", "", pathError(text, "a quote is not closed")
}
