import sys

from pyshm_attach import attach_semaphore

ping, pong = attach_semaphore(sys.argv[1]), attach_semaphore(sys.argv[2])
while ping.acquire():
    pong.release()
