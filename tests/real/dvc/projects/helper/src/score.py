from helper import factor

print(factor() * 2)
