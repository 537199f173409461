// Package child keeps child processes that this process must not leave behind: how they
// end with it, how to notice that they have ended, and how much memory they take.
package child
