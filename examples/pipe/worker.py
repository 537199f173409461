from multiprocessing.connection import Connection

with Connection(3) as conn:
    for job in iter(conn.recv, None):
        conn.send({"job": job, "total": sum(job)})
