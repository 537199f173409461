import numpy as np
from pyshm_attach import serve


@serve
def blur(image):
    height, width = image.shape
    padded = np.pad(image.astype("f4"), 1, mode="edge")
    image[:] = sum(padded[y : y + height, x : x + width] for y in range(3) for x in range(3)) / 9


serve()
