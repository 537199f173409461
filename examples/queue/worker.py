import sys

from pyshm_attach import attach_queue

jobs = attach_queue(sys.argv[1], 10)
results = attach_queue(sys.argv[2])
for job in iter(jobs.get, None):
    results.put({"job": job, "total": sum(job)})
    jobs.task_done()
