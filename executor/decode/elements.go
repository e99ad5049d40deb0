package decode

// elements reads the wanted elements of the array at p[i], which is valid JSON.
func (d *jsonDecoder) elements(n *node, p []byte, i int) {
	keys := d.keys // they are counted already
	i = space(p, i+1)
	for k := 0; p[i] != ']'; k++ {
		if id, ok := n.elem(k); ok {
			d.inside(id, p, i)
		}
		i = space(p, d.value(p, i, 0))
		if p[i] == ',' {
			i = space(p, i+1)
		}
	}
	d.keys = keys
}

// inside reads what is wanted of the value at p[i], which is the value of a node below an array and valid JSON. It calls itself at
// most once for each step of the paths that were declared.
func (d *jsonDecoder) inside(id int32, p []byte, i int) {
	n := &d.nodes[id]
	d.meet(id)
	d.terms(n, p, i, 0)
	switch {
	case p[i] == '{' && len(n.keys.slots) > 0:
		d.members(n, p, i)
	case p[i] == '[' && len(n.elems) > 0:
		d.elements(n, p, i)
	}
}

// members reads the wanted members of the object at p[i], which is valid JSON.
func (d *jsonDecoder) members(n *node, p []byte, i int) {
	i = space(p, i+1)
	for p[i] != '}' {
		end := d.str(p, i+1)
		key := p[i+1 : end-1]
		if stop := stringStop(p, i+1); p[stop] != '"' {
			d.key, _ = appendUnescaped(d.key[:0], key)
			key = d.key
		}
		i = d.colon(p, end)
		if id := n.keys.find(key); id != 0 {
			d.inside(id, p, i)
		}
		i = space(p, d.value(p, i, 0))
		if p[i] == ',' {
			i = space(p, i+1)
		}
	}
}
