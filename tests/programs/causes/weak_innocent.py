# SPDX-License-Identifier: MIT
# necropy: a WeakValueDictionary beside the list that really holds.
import service

SOURCE = '''
import weakref

class Document:
    def __init__(self, number):
        self.number = number
        self.lines = ["line %d" % number, "end"]

by_number = weakref.WeakValueDictionary()
history = []

def open_document(number):
    document = Document(number)
    by_number[number] = document
    history.append(document)
'''


def main():
    service.start()
    documents = service.module("office.documents", SOURCE)
    for number in range(service.count(10000)):
        documents.open_document(number)
    service.rest()


if __name__ == "__main__":
    main()
