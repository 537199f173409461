//go:build !linux

package main

import "errors"

func memoryState() (shmState, error) { return shmState{}, errors.ErrUnsupported }
