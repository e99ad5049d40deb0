package catalog

import "rhumb/types"

// deadLetterBit marks the number of a stream's dead letters. Numbers of objects are given one after the other, far below it.
const deadLetterBit = 1 << 30

// DeadLetters is the object of the rows that are left out of a stream's: it exists with the stream. Its name is the stream's and ".rejected".
func DeadLetters(stream *Object) *Object {
	text, count := types.T(types.Text), types.T(types.Int8)
	return &Object{Number: stream.Number | deadLetterBit, Version: 1, Name: stream.Name + ".rejected", Kind: DeadLetter,
		Topic: stream.Topic + ".rejected", Options: map[string]string{},
		Columns: append([]Column{{Name: "kind", Type: text}}, leftOut(text, count)...)}
}

// leftOut is the columns of a row that was left out.
func leftOut(text, count types.Type) []Column {
	return []Column{
		{Name: "stream", Type: text},
		{Name: "query", Type: text},
		{Name: "topic", Type: text},
		{Name: "partition", Type: types.T(types.Int4)},
		{Name: "offset", Type: count},
		{Name: "ts", Type: types.T(types.Timestamptz)},
		{Name: "reason", Type: text},
		{Name: "payload", Type: text},
		{Name: "raw", Type: types.T(types.Bytea)},
		{Name: "at", Type: types.T(types.Timestamptz)},
	}
}
