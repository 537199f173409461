package main

import "testing"

func TestMappers(t *testing.T) {
	for want, m := range map[string]mapped{
		"-":                          {Complete: true},
		"unknown":                    {},
		"17":                         {Pids: []int{17}, Complete: true},
		"17,unknown":                 {Pids: []int{17}},
		"1,2,3,4":                    {Pids: []int{1, 2, 3, 4}, Complete: true},
		"1,2,3,4+1":                  {Pids: []int{1, 2, 3, 4, 5}, Complete: true},
		"100,200,300,400+96,unknown": {Pids: append([]int{100, 200, 300, 400}, make([]int, 96)...)},
	} {
		if got := m.mappers(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
