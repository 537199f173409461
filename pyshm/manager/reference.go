package manager

import (
	"context"
	"net"
	"strconv"
	"strings"

	"github.com/pyshm-go/pyshm/format/pickle"
	"github.com/pyshm-go/pyshm/pyshm/internal/address"
)

// A proxy that Python pickles, inside of another value or alone, is
//
//	RebuildProxy(class, Token(typeid, address, id), 'pickle', keywords)
//
// all of module multiprocessing.managers. The keywords of an AutoProxy have the methods.
var (
	rebuildProxy = managersClass("RebuildProxy")
	tokenClass   = managersClass("Token")
)

func managersClass(name string) pickle.Class {
	return pickle.Class{Module: "multiprocessing.managers", Name: name}
}

// proxyClasses has the classes of the proxies that SyncManager makes of its types.
var proxyClasses = map[string]string{
	"list": "ListProxy", "dict": "DictProxy", "Namespace": "NamespaceProxy", "Value": "ValueProxy", "Array": "ArrayProxy",
	"Lock": "AcquirerProxy", "RLock": "AcquirerProxy", "Semaphore": "AcquirerProxy", "BoundedSemaphore": "AcquirerProxy",
	"Condition": "ConditionProxy", "Event": "EventProxy", "Barrier": "BarrierProxy", "Iterator": "IteratorProxy",
}

// Value returns the proxy as a value that can be passed to Python, as an argument, as an
// item of a managed list, or over a connection: Python makes a proxy of it. The process
// that does so needs the manager's authkey as multiprocessing.current_process().authkey.
// The Proxy has to stay open until then.
func (p *Proxy) Value() *pickle.Object {
	return proxyValue(token(p.typeid, pythonAddress(p.client.address), p.id), p.typeid, p.methods)
}

func proxyValue(token *pickle.Object, typeid string, methods []string) *pickle.Object {
	class, keywords := proxyClasses[typeid], &pickle.Dict{}
	if class == "" {
		class = "AutoProxy"
		_ = keywords.Set("exposed", tupleOf(methods)) // a str is a key
	}
	return &pickle.Object{Class: rebuildProxy, Args: pickle.Tuple{managersClass(class), token, "pickle", keywords}}
}

func token(typeid string, address any, id string) *pickle.Object {
	return &pickle.Object{Class: tokenClass, Form: pickle.New, State: pickle.Tuple{typeid, address, id}}
}

func tupleOf(names []string) pickle.Tuple {
	t := make(pickle.Tuple, len(names))
	for i, name := range names {
		t[i] = name
	}
	return t
}

// pythonAddress returns an address as Python's Token has it.
func pythonAddress(addr string) any {
	a, err := address.Parse(addr)
	if err != nil {
		return addr
	}
	return tokenAddress(a)
}

func tokenAddress(a address.Address) any {
	if name, ok := strings.CutPrefix(a.Name, "@"); ok && a.Network == "unix" {
		return []byte("\x00" + name)
	}
	host, port, err := net.SplitHostPort(a.Name)
	number, portErr := strconv.Atoi(port)
	if a.Network == "tcp" && err == nil && portErr == nil {
		return pickle.Tuple{host, number}
	}
	return a.Name
}

// Rebuild makes a Proxy of a value that a manager or another process has sent: of a proxy
// in Python, or of [Proxy.Value]. The object must be one of this client's manager. Its
// address is the client's, whatever the value says: a manager in Python that listens at
// 0.0.0.0 says just that. The Proxy has a reference of its own and has to be closed.
func (c *Client) Rebuild(ctx context.Context, v any) (*Proxy, error) {
	p, err := c.rebuild(ctx, v)
	return p, c.wrap("rebuild", "", err)
}

func (c *Client) rebuild(ctx context.Context, v any) (*Proxy, error) {
	o, ok := v.(*pickle.Object)
	if !ok || o.Class != rebuildProxy || len(o.Args) < 2 {
		return nil, invalid("the value is %s, not a proxy", pickle.Repr(v, maxExcerpt))
	}
	typeid, addr, id, ok := parseToken(o.Args[1])
	if !ok {
		return nil, invalid("the proxy has %s, not a token", pickle.Repr(o.Args[1], maxExcerpt))
	}
	if !isSameManager(addr, pythonAddress(c.address)) {
		return nil, invalid("the object is of the manager at %s", pickle.Repr(addr, maxExcerpt))
	}
	return c.attach(ctx, typeid, id)
}

// isSameManager compares addresses of managers, of TCP the ports.
func isSameManager(a, b any) bool {
	x, isTCP := a.(pickle.Tuple)
	y, also := b.(pickle.Tuple)
	if isTCP && also && len(x) == 2 && len(y) == 2 {
		return pickle.Equal(x[1], y[1])
	}
	return pickle.Equal(a, b)
}

// parseToken returns what a Token says.
func parseToken(v any) (typeid string, address any, id string, ok bool) {
	o, ok := v.(*pickle.Object)
	if !ok || o.Class != tokenClass {
		return "", nil, "", false
	}
	state, _ := o.State.(pickle.Tuple)
	if len(state) != 3 {
		return "", nil, "", false
	}
	typeid, isStr := state[0].(string)
	id, ok = state[2].(string)
	return typeid, state[1], id, isStr && ok
}

// A madeProxy is a reply that carries a proxy. The client has a reference already.
type madeProxy struct {
	typeid, id string
	methods    any
}

func parseMadeProxy(v any) (madeProxy, error) {
	pair, _ := v.(pickle.Tuple)
	if len(pair) != 2 {
		return madeProxy{}, unreadable("a proxy %s", pickle.Repr(v, maxExcerpt))
	}
	typeid, _, id, ok := parseToken(pair[1])
	if !ok {
		return madeProxy{}, unreadable("a token %s", pickle.Repr(pair[1], maxExcerpt))
	}
	return madeProxy{typeid, id, pair[0]}, nil
}

// stringsOf returns the items of a Python list or tuple of str.
func stringsOf(v any) ([]string, error) {
	items, ok := sequence(v)
	if !ok {
		return nil, unreadable("%s, not a tuple", pythonType(v))
	}
	return strs(items)
}
